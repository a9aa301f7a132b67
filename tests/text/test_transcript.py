"""A conversation goes through tables as one text and comes back as its messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.questions.question_format import read_formats
from kd_kedro.curation.records.schema import SPLIT, table
from kd_kedro.curation.repair.text_repair import repair
from kd_kedro.curation.rewriting.rewrites import trainable
from kd_kedro.text.transcript import (
    as_question,
    earlier_questions,
    has_mark,
    last_message,
    read_transcript,
    with_last_message,
    write_transcript,
)

TURNS = [("user", "What is a debit?\n\n- left"), ("assistant", "The left."), ("user", "And 2 %?")]
ASKED = "⟦user⟧ What is a debit?\n\n- left\n⟦assistant⟧ The left.\n⟦user⟧ And 2 %?"


def test_messages_come_back_also_from_repaired_text():
    assert write_transcript(TURNS) == ASKED
    assert read_transcript(repair(ASKED)[0]) == TURNS
    assert has_mark("first\n⟦system⟧ so")
    assert not has_mark("the mark ⟦user⟧")


@pytest.mark.parametrize(
    "text", ["What is ⟦user⟧?", "⟦user⟧ a\n⟦assistant⟧ b", "so\n⟦user⟧ a", "", "⟦tool⟧ a"]
)
def test_another_text_is_no_transcript(text):
    assert read_transcript(text) == []


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.strip)
said = texts.filter(lambda text: text and not has_mark(text) and "\r" not in text)


@given(st.lists(said, min_size=1, max_size=5))
def test_any_messages_come_back(contents):
    roles = ["user", "assistant"] * len(contents)
    messages = [*zip(roles, contents, strict=False), ("user", "x")]
    assert read_transcript(write_transcript(messages)) == messages


def test_curation_leaves_a_conversation_as_it_was_said():
    question = "⟦user⟧ Fill in: cash is ____.\n⟦assistant⟧ money\n⟦user⟧ (a) yes (b) no?"
    rows = table(["row_id", "question", "answer"], [["r", question, "(a) yes"]])
    assert read_formats(rows)["format"].tolist() == ["plain"]
    records = [
        [row_id, row_id, "train", "original", asked, "a", "s"]
        for row_id, asked in (("q", "What is cash?"), ("t", question))
    ]
    assert trainable(table(SPLIT, records))["row_id"].tolist() == ["q"]


def test_what_is_asked_at_a_turn_is_written_as_in_a_row_of_its_own():
    talk = write_transcript([("system", "s"), *TURNS])
    assert last_message(talk) == "And 2 %?"
    assert earlier_questions(talk) == ["What is a debit?\n\n- left"]
    longer = write_transcript([*TURNS, ("assistant", "b"), ("user", "c")])
    assert earlier_questions(longer) == ["What is a debit?\n\n- left", ASKED]
    assert earlier_questions("What?") == []
    assert earlier_questions("⟦assistant⟧ Hi.\n⟦user⟧ What?") == []
    assert as_question([("system", "s"), ("user", "What?")]) == "What?"
    assert as_question(TURNS) == ASKED


def test_the_last_message_is_replaced_alone():
    assert with_last_message(ASKED, "And 3 %?") == ASKED.replace("2", "3")
    assert with_last_message(ASKED, "⟦user⟧ so") == "⟦user⟧ so"
    assert with_last_message("What?", "Why?") == "Why?"
