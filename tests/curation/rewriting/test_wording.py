import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.rewriting.wording import asker_defect, clause_defect, further_question_defect
from kd_kedro.text.boilerplate import meta_defect

SOURCE = "If the owner draws goods for private use, which account of the firm is debited?"


@pytest.mark.parametrize(
    "text",
    [
        "...",
        "N/A",
        "[Insert question here]",
        "Kindly rephrase my previous response.",
        "I'm sorry, but I cannot help with that.",
        "As an AI language model, I have no opinion.",
        f"Sure! Here is the rephrased question: {SOURCE}",
        f"Casual version: {SOURCE}",
        f"Question: {SOURCE}",
        f"<|assistant|>{SOURCE}",
        "",
    ],
)
def test_text_that_speaks_of_the_task(text: str) -> None:
    assert meta_defect(SOURCE, text).startswith("no question")


@pytest.mark.parametrize(
    "text",
    ["Kindly answer the following question: what is cost?", "So, what's goodwill?", "Sorry costs?"],
)
def test_a_question_is_none(text: str) -> None:
    assert meta_defect(SOURCE, text) == ""


def test_what_the_source_says_itself_is_no_defect() -> None:
    text = "What is a placeholder in a form?"
    assert meta_defect(text, f"So, {text}") == ""


def test_clauses() -> None:
    assert clause_defect(SOURCE, "Which account of the firm is debited?").startswith(
        "clause dropped"
    )
    added = f"{SOURCE} Remember that drawings reduce capital and never touch yearly expenses."
    assert clause_defect(SOURCE, added).startswith("clause added")
    other = "Which account of a business is debited if its owner takes goods for personal use?"
    assert clause_defect(SOURCE, other) == ""


@pytest.mark.parametrize(
    ("one", "other", "defect"),
    [
        ("Who signs it?", "When is it signed?", "asks for another answer"),
        ("Why is it paid?", "For what reason is it paid?", ""),
        ("How many shares?", "What number of shares?", ""),
        ("What is due, if rent is paid?", "If rent is paid.", "asks nothing"),
        ("What is rent?", "Define rent.", ""),
        ("What is rent?", "Could you explain rent?", ""),
    ],
)
def test_what_is_asked_for(one: str, other: str, defect: str) -> None:
    found = asker_defect(one, other)
    assert found.startswith(defect) if defect else found == ""


@pytest.mark.parametrize(
    ("one", "other", "defect"),
    [
        ("What is rent?", "What is rent? Who pays it?", "asks 2 questions where its source asks 1"),
        ("Define rent.", "What is rent??", ""),
        ("What is rent and who pays it?", "What is rent? Who pays it?", ""),
        ("Is rent due? Is it paid?", "Is rent due? Has it been paid?", ""),
    ],
)
def test_a_further_question_is_none_of_a_rewrite(one: str, other: str, defect: str) -> None:
    assert further_question_defect(one, other) == defect


@given(st.text())
def test_every_text_agrees_with_itself(text: str) -> None:
    assert further_question_defect(text, text) == clause_defect(text, text) == ""
    assert asker_defect(text, text) == ""
    assert meta_defect(text, text) == ""
