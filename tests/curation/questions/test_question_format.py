import pytest

from kd_kedro.curation.questions.question_format import question_format, split_stem


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
    assert question_format(question, answer) == found


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("Cost is ____.\n(a) Rent\n(b) Land", "\n(a) Rent\n(b) Land"),
        ("Cost is ____. Rent; Land; Wages; Cash", " Rent; Land; Wages; Cash"),
        ("Sales fell.\n\nCost is ____.\n\nRent\nLand\nWages\nCash", "\nRent\nLand\nWages\nCash"),
    ],
)
def test_stem_and_options_are_parted_whole(question: str, options: str) -> None:
    stem, rest = split_stem(question, "a")
    assert stem.split() == question.removesuffix(options).split()
    assert rest == options
