import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.rewriting.preservation import misspelling_defect, preservation_defect
from kd_kedro.text.names import names


@pytest.mark.parametrize(
    ("source", "rewrite", "loss"),
    [
        ("What is 10% of ₹ 500?", "Could you tell me what 10% of ₹ 500 is?", ""),
        ("What is 12,500 plus 3?", "So, what's 12500 plus 3?", ""),
        ("What is not a cost?", "So, what isn't a cost?", ""),
        ("What is 12,500 plus 3?", "What is 12,600 plus 3?", "numbers"),
        ("What is 10% of 500?", "What is 10 of 500?", "units"),
        ("What is ₹ 500 in euro?", "What is $ 500 in euro?", "units"),
        ("Which is not a cost?", "Which is a cost?", "negation"),
        ("Can a partner retire?", "Can a partner never retire?", "negation"),
        ("Is cash debited?", "Is cash credited?", "direction"),
        ("What did Ravi sell to Mohan?", "What did Ravi sell to Sunil?", "names"),
        ("What if I call main()?", "What if I call chief()?", "code lost: main"),
        ("What does `len` do?", "Hey! what does len() do?", ""),
        ("What does the RBI do?", "What does the bank do?", "names"),
        ("Interest for 3 months?", "Interest for 3 years?", "units"),
        ("What is 12,500 plus 3?", "What is three plus Rs 12500?", "units"),
        ("Which is NOT a cost?", "Which isn't a cost?", ""),
        ("What is GST?", "What is the Goods and Services Tax?", ""),
        ("What is the Goods and Services Tax?", "What is GST?", ""),
        ("Did Ravi Ltd. pay?", "Did Ravi Limited pay?", ""),
        ("Rahul paid rent of 500. Is it a cost?", "Mohan paid rent of 500. Is it a cost?", "names"),
        ("If A pays B, who gains?", "If A pays C, who gains?", "names"),
        ("What if Ravi sold goods to Mohan?", "What if Mohan sold goods to Ravi?", "exchanged"),
        ("Did Ravi pay Mohan as Mohan asked?", "Did Ravi pay Ravi as Mohan asked?", "names"),
        ("Were goods sold by Ravi to Mohan?", "Did Ravi sell goods to Mohan?", ""),
        ("Is 500 paid and 300 received?", "Is 300 paid and 500 received?", "exchanged"),
        ("Is cash debited and rent credited?", "Is cash credited and rent debited?", "exchanged"),
        ("If sales are 500, what is the tax?", "What is the tax if sales are 500?", ""),
    ],
)
def test_gates(source: str, rewrite: str, loss: str) -> None:
    defect = preservation_defect(source, rewrite)
    assert defect.startswith(loss) if loss else defect == ""


@pytest.mark.parametrize(
    ("misspelt", "loss"),
    [
        ("What does Ravi owe the bnak for 12 mnoths of rent to pay?", ""),
        ("What does Ravi owe the bank for 21 months of rent to pay?", "a number"),
        ("What does Rvai owe the bank for 12 months of rent to pay?", "a number or name"),
        ("What does Ravi owe the tank for 12 weeks of rent to pay?", "another word"),
        ("What does Ravi owe the bank for 12 months of rent?", "words added or lost"),
        ("Waht deos Ravi ows teh bnak for 12 months of rent to pay?", "5 of 13 words"),
    ],
)
def test_misspelling_gate(misspelt: str, loss: str) -> None:
    source = "What does Ravi owe the bank for 12 months of rent to pay?"
    defect = misspelling_defect(source, misspelt, 0.25)
    assert defect.startswith(loss) if loss else defect == ""


@given(st.text())
def test_every_text_but_meta_text_keeps_itself(text: str) -> None:
    assert preservation_defect(text, text) == ""


def test_names_of_a_long_text_take_no_time() -> None:
    text = "The Company sold goods to Ram; it paid. " * 20_000
    assert names(text) == {"company", "ram"}


def test_a_name_behind_many_line_breaks_is_seen() -> None:
    breaks = "\n" * 5000
    source = f"{breaks}Rahul paid rent of 500. Is it a cost?"
    assert preservation_defect(source, source.strip()) == ""
    assert "names" in preservation_defect(source, f"{breaks}Mohan paid rent of 500. Is it a cost?")
