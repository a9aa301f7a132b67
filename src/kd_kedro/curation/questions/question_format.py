"""The format of a row: plain, fill-in-the-blank, multiple choice, or both; and its options."""

import pandas as pd

from kd_kedro.curation.questions.answer_key import Choice
from kd_kedro.curation.questions.blanks import count_blanks
from kd_kedro.curation.questions.choices import parse_choice, write_choice
from kd_kedro.text.transcript import is_transcript

PLAIN = "plain"


def read_formats(rows: pd.DataFrame, before: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return rows with what their texts say of their format, in the columns `format, options`.

    Args:
        rows: Text columns `row_id, question, answer`; unlabelled options are recognised by the
            answer.
        before: Rows whose formats were read. A row whose texts are the same is not read again.
    """
    known: dict[tuple[str, str], list[str]] = {}
    if before is not None:
        texts = zip(before["question"], before["answer"], strict=True)
        known = dict(zip(texts, before[["format", "options"]].to_numpy().tolist(), strict=True))
    read = [
        known.get((question, answer)) or _read(question, answer)
        for question, answer in zip(rows["question"], rows["answer"], strict=True)
    ]
    columns = {
        name: pd.Series([cells[place] for cells in read], index=rows.index, dtype="str")
        for place, name in enumerate(("format", "options"))
    }
    return rows.assign(**columns)


def question_format(question: str, choice: Choice | None) -> str:
    """Return `plain`, `fitb`, `mcq` or `fitb+mcq`.

    Args:
        question: The question with its line breaks.
        choice: Its stem and options, None where it has none.
    """
    stem, _ = split_stem(question, choice)
    found = [name for name, there in (("fitb", count_blanks(stem)), ("mcq", choice)) if there]
    return "+".join(found) or PLAIN


def split_stem(question: str, choice: Choice | None) -> tuple[str, str]:
    """Return the stem of a question and its option block, '' where it has none."""
    if choice is None:
        return question, ""
    if question.startswith(choice.stem):
        return choice.stem, question[len(choice.stem) :]
    # Spaces or empty lines between them are gone from a stem whose options have no labels, and a
    # stem may end behind its options.
    marks = [f"({label}) " if choice.labelled else "" for label in choice.labels]
    listed = (mark + option for mark, option in zip(marks, choice.options, strict=True))
    return choice.stem, "\n" + "\n".join(listed)


def _read(question: str, answer: str) -> list[str]:
    if is_transcript(question):  # blanks and options of earlier turns are not asked for
        return [PLAIN, ""]
    choice = parse_choice(question, answer)
    return [question_format(question, choice), write_choice(choice)]
