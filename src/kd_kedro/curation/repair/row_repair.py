"""Repair of a row: its question and answer, and each message of a conversation by itself."""

from typing import Any, NamedTuple

from kd_kedro.curation.repair.repair_config import RepairConfig
from kd_kedro.curation.repair.text_changes import change_evidence
from kd_kedro.curation.repair.text_repair import repair, repair_defect
from kd_kedro.text.transcript import Message, has_mark, read_transcript, write_transcript


class RepairedRow(NamedTuple):
    """The texts of a row after repair.

    Attributes:
        question: Its question.
        answer: Its answer.
        changes: What each repair changed (`change_evidence`), in a conversation within a message.
        defect: Why the row must not be used, with the column; '' where it may.
    """

    question: str
    answer: str
    changes: list[dict[str, Any]]
    defect: str


def repair_row(question: str, answer: str, config: RepairConfig) -> RepairedRow:
    """Return a row with what is broken in its texts put right.

    A message of a conversation is repaired as it would be in a row of its own: beside the reply to
    it, or what it replies to. So it says the same wherever it is told again, and no repair of one
    changes who says what.
    """
    talk = read_transcript(question)
    asked = talk or [("user", question)]
    messages: list[Message] = [*asked, ("assistant", answer)]
    texts: list[str] = []
    changes: list[dict[str, Any]] = []
    defect = ""
    for place, (_, text) in enumerate(messages):
        column = "question" if place < len(asked) else "answer"
        beside = _beside(messages, place)
        repaired, made = repair(text, config, beside)
        changes += [change_evidence(column, *step) for step in made]
        why = repair_defect(text, repaired, beside)
        if talk and has_mark(repaired) and not has_mark(text):
            why = "repair brings out a line that begins with a mark of transcripts, such as ⟦user⟧"
        defect = f"column {column}: {why}" if why else defect
        texts.append(repaired)
    said = [(role, text) for (role, _), text in zip(asked, texts, strict=False)]
    if not talk:
        question = texts[0]
    elif said != talk:
        question = write_transcript(said)
    return RepairedRow(question, texts[-1], changes, defect)


def _beside(messages: list[Message], place: int) -> str:
    """Return the reply to a message, of an assistant's what it replies to."""
    replies = messages[place][0] == "assistant" and place > 0
    return messages[place - 1 if replies else place + 1][1]
