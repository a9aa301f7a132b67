"""The format of a row: plain, fill-in-the-blank, multiple choice, or both."""

from kd_kedro.curation.questions.blanks import count_blanks
from kd_kedro.curation.questions.choices import parse_choice


def question_format(question: str, answer: str) -> str:
    """Return `plain`, `fitb`, `mcq` or `fitb+mcq`.

    Args:
        question: The question with its line breaks.
        answer: The answer; unlabelled options are recognised by it.
    """
    choice = parse_choice(question, answer)
    stem, _ = split_stem(question, answer) if choice else (question, "")
    found = [name for name, there in (("fitb", count_blanks(stem)), ("mcq", choice)) if there]
    return "+".join(found) or "plain"


def split_stem(question: str, answer: str) -> tuple[str, str]:
    """Return the stem of a question and its option block, '' where it has none."""
    choice = parse_choice(question, answer)
    if choice is None:
        return question, ""
    if question.startswith(choice.stem):
        return choice.stem, question[len(choice.stem) :]
    # Spaces or empty lines between them are gone from a stem whose options have no labels.
    return choice.stem, "\n" + "\n".join(choice.options)
