import pytest

from kd_kedro.curation.questions.choices import parse_choice, read_choice, write_choice
from kd_kedro.curation.questions.question_format import question_format, read_formats, split_stem
from kd_kedro.curation.records.schema import table


@pytest.mark.parametrize(
    ("question", "answer", "found"),
    [
        ("What is cost?", "A price.", "plain"),
        ("____ is cost.", "Price", "fitb"),
        ("What is cost?\n(a) Rent (b) Land", "a", "mcq"),
        ("Cost is ____.\nRent\nLand\nWages\nCash", "Rent", "fitb+mcq"),
    ],
)
def test_question_format(question: str, answer: str, found: str) -> None:
    assert question_format(question, parse_choice(question, answer)) == found


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("Cost is ____.\n(a) Rent\n(b) Land", "\n(a) Rent\n(b) Land"),
        ("Cost is ____. Rent; Land; Wages; Cash", " Rent; Land; Wages; Cash"),
        ("Sales fell.\n\nCost is ____.\n\nRent\nLand\nWages\nCash", "\nRent\nLand\nWages\nCash"),
    ],
)
def test_stem_and_options_are_parted_whole(question: str, options: str) -> None:
    stem, rest = split_stem(question, parse_choice(question, "a"))
    assert stem.split() == question.removesuffix(options).split()
    assert rest == options


def test_options_before_the_end_of_the_stem_keep_their_labels() -> None:
    question = "Read.\n(a) Rent\n(b) Land\nWhich is it?"
    stem, options = split_stem(question, parse_choice(question))
    assert (stem, options) == ("Read.\nWhich is it?", "\n(a) Rent\n(b) Land")


def test_options_are_read_once_and_carried_along() -> None:
    columns = ["row_id", "question", "answer"]
    cells = [("r1", "What is cost?\n(a) Rent (b) Land", "a"), ("r2", "What is cost?", "A price.")]
    read = read_formats(table(columns, cells))
    assert read["format"].tolist() == ["mcq", "plain"]
    choice = read_choice(read["options"][0])
    assert choice == parse_choice(*cells[0][1:])
    assert (write_choice(choice), read["options"][1]) == (read["options"][0], "")
    # What was read is taken over where the texts are the same, and read anew where they are not.
    known = read.assign(format="known")
    changed = read.assign(question=[cells[0][1], "Cost is ____."])
    assert read_formats(changed, known)["format"].tolist() == ["known", "fitb"]
