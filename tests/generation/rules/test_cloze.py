import csv
import re
from pathlib import Path

import pytest

from kd_kedro.generation.rules.cloze import ask


@pytest.mark.parametrize(
    ("statement", "question", "how"),
    [
        (
            "____ is the practice of providing for losses.",
            "What is the practice of providing for losses?",
            "fronted",
        ),
        ("The ____ stage is the first.", "Which stage is the first?", "fronted"),
        (
            "A ____ campaign occurs when people disagree.",
            "What kind of campaign occurs when people disagree?",
            "fronted",
        ),
        (
            "According to Locke, the chief end of union is ____.",
            "According to Locke, what is the chief end of union?",
            "fronted",
        ),
        (
            "Descartes declares that he is ____.",
            "Descartes declares that he is what?",
            "in place",
        ),
        (
            "A capitalist economy uses ____ as the means.",
            "A capitalist economy uses what as the means?",
            "in place",
        ),
        (
            "A firm will exit the market because ____.",
            "Why will a firm exit the market?",
            "fronted",
        ),
        ("It is a ____ firm.", "What kind of firm is it?", "fronted"),
        (
            "Dividends are often agreed as a share of ____.",
            "What are dividends often agreed as a share of?",
            "fronted",
        ),
        (
            "The view that art is form is known as ____.",
            "The view that art is form is known as what?",
            "in place",
        ),
        (
            "Descartes argues against the senses on the grounds that ____.",
            "Descartes argues against the senses on what grounds?",
            "in place",
        ),
        (
            "The existence of money seems to suggest that ____.",
            "The existence of money seems to suggest what?",
            "in place",
        ),
        (
            "All are costs except ____.",
            "All are costs except what?",
            "in place",
        ),
        (
            "Reasons why low rates may help trade include ____.",
            "Reasons why low rates may help trade include what?",
            "in place",
        ),
        ("This is referred to as: ____", "This is referred to as what?", "in place"),
        (
            'The ____ school says that the law is what is "right."',
            'Which school says that the law is what is "right"?',
            "fronted",
        ),
        (
            "Rent occurs because of use of the ____ system.",
            "Rent occurs because of use of which system?",
            "in place",
        ),
        (
            "When cash is paid, the ____ account is debited and the ____ account is credited.",
            "When cash is paid, which account is debited and which account is credited?",
            "in place",
        ),
    ],
)
def test_by_syntax(statement: str, question: str, how: str) -> None:
    assert ask(statement) == (question, f"syntax: {how}")


@pytest.mark.parametrize(
    ("statement", "question"),
    [
        (
            "It is so for the reason that ____.",
            'What completes the statement "It is so for the reason that ____."?',
        ),
        (
            "Growth begins ____ after rain.",
            'What completes the statement "Growth begins ____ after rain."?',
        ),
        ("In a mixed economy ____.", 'What completes the statement "In a mixed economy ____."?'),
        (
            "It is a ____ of accounts and is treated as a ____.",
            'Which words, in order, complete the statement "It is a ____ of accounts and is '
            'treated as a ____."?',
        ),
    ],
)
def test_carrier_phrase_keeps_the_blanks(statement: str, question: str) -> None:
    assert ask(statement) == (question, "carrier phrase")


def test_other_sentences_of_the_statement_stay() -> None:
    question, _ = ask("Sales fell. ____ is the cause. It was not noticed.")
    assert question == "Sales fell. What is the cause, given that it was not noticed?"


def test_real_statements_keep_every_number_and_ask(shared_data: Path) -> None:
    for path in (shared_data / "mmlu").glob("*/*philosophy*.csv"):
        for row in csv.reader(path.open()):
            if "__" in row[0]:
                question, _ = ask(re.sub("_{2,}", "____", row[0]))
                assert question.endswith("?")
                assert not set(re.findall(r"\d+", row[0])) - set(re.findall(r"\d+", question))


@pytest.mark.parametrize("statement", ["____", "____.", "The entry is passed. ____."])
def test_a_blank_that_is_a_whole_sentence_is_asked_about(statement: str) -> None:
    question, how = ask(statement)
    assert how == "carrier phrase"
    assert question == f'What completes the statement "{statement.rstrip(".")}."?'
