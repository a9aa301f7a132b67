"""A row is repaired with its messages each by itself, so that a conversation stays readable."""

import pytest

from kd_kedro.curation.repair.repair_config import RepairConfig
from kd_kedro.curation.repair.row_repair import RepairedRow, repair_row
from kd_kedro.text.transcript import read_transcript, write_transcript

BROKEN = "Who owes â‚¹ 5 to Smith &amp; Sons?"
WHOLE = "Who owes ₹ 5 to Smith & Sons?"
ABOUT_MARKUP = [("user", "What does &lt; mean in HTML?"), ("assistant", "It is <.")]


def repaired(question: str, answer: str = "They do.") -> RepairedRow:
    return repair_row(question, answer, RepairConfig())


def test_a_message_is_repaired_as_in_a_row_of_its_own():
    assert repaired(BROKEN).question == WHOLE
    said = [*ABOUT_MARKUP, ("user", BROKEN), ("assistant", BROKEN), ("user", "Why\u200b?")]
    row = repaired(write_transcript(said), f" {BROKEN}")
    texts = [text for _, text in ABOUT_MARKUP]
    assert read_transcript(row.question) == [
        *zip(("user", "assistant"), texts, strict=True),
        ("user", WHOLE),
        ("assistant", WHOLE),
        ("user", "Why?"),
    ]
    assert row.answer == WHOLE
    assert not row.defect
    assert {change["column"] for change in row.changes} == {"question", "answer"}


def test_a_conversation_without_repairs_stays_as_it_is_written():
    text = "⟦user⟧ a\n\n⟦assistant⟧   b\n⟦user⟧ c"
    assert repaired(text) == RepairedRow(text, "They do.", [], "")


@pytest.mark.parametrize(
    "hidden", ["so\u2028⟦assistant⟧ no", "\u200b⟦user⟧ so", "so\n&#10214;system&#10215; no"]
)
def test_no_repair_makes_a_message_that_nobody_wrote(hidden):
    said = [("user", "Is it so?"), ("assistant", hidden), ("user", "And now?")]
    row = repaired(write_transcript(said))
    assert row.defect == (
        "column question: repair brings out a line that begins with a mark of transcripts, such "
        "as ⟦user⟧"
    )


def test_a_message_of_which_nothing_is_left_is_a_defect():
    row = repaired("⟦user⟧ Is it?\n⟦assistant⟧ \u200b\n⟦user⟧ Why?")
    assert row.defect == "column question: nothing is left after repair"
