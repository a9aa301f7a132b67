import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.text.polarity import direction_marks, negation_defect, opposite_defect


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It cannot be paid.", "It is unable to be paid."),
        ("It isn’t a cost.", "It is not a cost."),
        ("All are costs except rent.", "Which is not a cost?"),
        ("Is item no. 5 a cost?", "Is item number 5 a cost?"),
    ],
)
def test_negations_said_otherwise(one: str, other: str) -> None:
    assert negation_defect(one, other) == ""


@pytest.mark.parametrize("lost", ["Which is a cost?", "Which is never not a cost?"])
def test_a_negation_lost_or_added(lost: str) -> None:
    assert negation_defect("Which is not a cost?", lost).startswith("negation changed")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Does a rise in price matter?", "Does an increase in price matter?"),
        ("What are the benefits?", "What makes it advantageous?"),
        ("Is cash debited?", "Is cash to be debited?"),
        ("More than 5 days", "Over 5 days"),
        ("What is a non-current item?", "What is a noncurrent item?"),
    ],
)
def test_directions_said_otherwise(one: str, other: str) -> None:
    assert opposite_defect(one, other) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is cash debited?", "Is cash credited?"),
        ("Is cash debited?", "Is cash recorded?"),
        ("Do prices rise?", "Do prices go down?"),
        ("Is the buyer's fault a risk?", "Is the seller's fault a risk?"),
        ("Is a firm solvent?", "Is a firm insolvent?"),
        ("What are current liabilities?", "What are non-current liabilities?"),
        ("More than 5 days", "Less than 5 days"),
        ("What is shown before closing?", "What is shown after closing?"),
        ("Can only partners sign?", "Can partners sign?"),
    ],
)
def test_opposites(one: str, other: str) -> None:
    assert opposite_defect(one, other).startswith("direction")
    assert opposite_defect(other, one).startswith("direction")


def test_marks_are_there_where_both_poles_are() -> None:
    [marks] = direction_marks("debit cash, credited sales").values()
    assert marks == [(0, 5, "debit"), (12, 20, "credit")]
    assert direction_marks("debit cash") == {}


@given(st.text())
def test_every_text_agrees_with_itself(text: str) -> None:
    assert opposite_defect(text, text) == ""
    assert negation_defect(text, text) == ""
