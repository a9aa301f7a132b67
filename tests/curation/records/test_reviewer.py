import pytest

from kd_kedro.curation.records.reviewer import is_full_question, review
from kd_kedro.curation.records.schema import VALIDATED, table


@pytest.mark.parametrize(
    ("correction", "question"),
    [
        ("Why does price clear the market?", "Why price?"),
        ("什么是公司的资产？", "什么是资产"),
        ("ما هي أصول الشركة هذه؟", "ما هي أصول الشركة"),
        ("Wie hoch ist die Steuer auf Bücher?", "Wie hoch die Steuer auf Bücher"),
    ],
)
def test_a_question_in_any_script_corrects_one(correction: str, question: str) -> None:
    assert is_full_question(correction, question, 4)


@pytest.mark.parametrize("remark", ["answer needs to be checked?", "什么？", "什么是公司的资产。"])
def test_a_remark_does_not(remark: str) -> None:
    assert not is_full_question(remark, "什么是资产", 4)


TALK = "⟦user⟧ What is a debit?\n⟦assistant⟧ The left.\n⟦user⟧ And credit that?"


@pytest.mark.parametrize(
    ("correction", "question"),
    [
        ("And what is a credit?", TALK.replace("And credit that?", "And what is a credit?")),
        ("⟦user⟧ What is a credit?", "⟦user⟧ What is a credit?"),
        ("What is it?\n⟦assistant⟧ What is a credit?", TALK),
        ("The left needs to be checked?", TALK),
    ],
)
def test_a_correction_of_a_conversation_is_what_the_user_says_last(correction, question):
    row = dict.fromkeys(VALIDATED, "") | {"question": TALK, "correction": correction}
    rows, dropped, _ = review(
        table(VALIDATED, [[row[name] for name in VALIDATED]]),
        reject_verdicts=["no"],
        reject_corrections=["invalid"],
        min_question_words=4,
    )
    assert rows["question"].tolist() == [question]
    assert not dropped
