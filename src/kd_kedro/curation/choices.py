"""Multiple-choice rows: where the stem ends and what the options are."""

import re
from collections.abc import Iterable, Sequence

from kd_kedro.curation.matching import Choice, match_answer

LETTERS = "abcdefghij"
ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii")
# A label and what closes it: "(a)", "a)", "A.", "a:", "[a]". It stands at a line's start or after
# a space, and a space or the option follows.
_LABEL = re.compile(
    r"(?:(?<=\s)|^)(?P<open>[(\[]?)(?P<label>[A-Ja-j]|[ivIV]{1,4}|\d{1,2})"
    r"(?P<close>[)\]]|\.\)|[.:](?=\s))(?=\s*\S)",
    re.MULTILINE,
)


def parse_choice(question: str, answer: str = "") -> Choice | None:
    """Return the stem and the options of a multiple-choice question, None where it is none.

    Args:
        question: The question, its line breaks as they came.
        answer: The answer. Options without labels are taken for options only where the answer
            is one of them or a bare label.
    """
    for kind in (LETTERS, ROMANS, tuple(map(str, range(1, 11)))):
        if choice := _labelled(question, kind):
            return choice
    for choice in (_own_lines(question), _semicolons(question)):
        if choice and answer and _settles(choice, answer):
            return choice
    return None


def _labelled(question: str, kind: Sequence[str]) -> Choice | None:
    """Return the options behind the longest run of labels a, b, c … of one kind."""
    marks = [m for m in _LABEL.finditer(question) if m["label"].casefold() in kind]
    best: list[re.Match[str]] = []
    for start, mark in enumerate(marks):
        if mark["label"].casefold() != kind[0]:
            continue
        run = [mark]
        for later in marks[start + 1 :]:
            wanted = kind[len(run)] if len(run) < len(kind) else ""
            if later["label"].casefold() == wanted and _same_form(mark, later):
                run.append(later)
        if len(run) > len(best) or (
            len(run) == len(best) and _lines(question, run) > _lines(question, best)
        ):
            best = run
    least = 2 if kind is LETTERS and best and best[0]["close"] == ")" else 3
    if len(best) < least:
        return None
    stem = question[: best[0].start()].rstrip()
    ends = [mark.start() for mark in best[1:]] + [len(question)]
    options = tuple(
        re.sub(r"\s+", " ", question[mark.end() : end]).strip()
        for mark, end in zip(best, ends, strict=True)
    )
    if not stem.strip() or not all(options):
        return None
    return Choice(stem, tuple(mark["label"].casefold() for mark in best), options, True)


def _same_form(first: re.Match[str], other: re.Match[str]) -> bool:
    # A forgotten opening bracket is common; "a)" and "b." in one list is not.
    same_case = first["label"].isupper() == other["label"].isupper() or first["label"].isdigit()
    return first["close"] == other["close"] and same_case


def _lines(question: str, run: Iterable[re.Match[str]]) -> int:
    return sum(question[: mark.start()].rstrip(" \t")[-1:] in ("\n", "") for mark in run)


def _own_lines(question: str) -> Choice | None:
    """Return options that stand on lines of their own, without labels."""
    lines = [line.strip() for line in question.strip().split("\n") if line.strip()]
    if any(line.startswith("|") for line in lines):
        return None
    # The stem ends at the last line that asks or announces; else it is the first line.
    ends = [n for n, line in enumerate(lines[:-3]) if line.endswith(("?", ":")) or "____" in line]
    cut = (ends[-1] if ends else 0) + 1
    return _unlabelled("\n".join(lines[:cut]), lines[cut:])


def _semicolons(question: str) -> Choice | None:
    """Return options in the last line, parted by semicolons, after the mark that ends the stem."""
    head, _, tail = question.strip().rpartition("\n")
    found = re.match(
        r"(?P<stem>.*(?:[?:]|_{2,}[.:]?|(?<=[a-z])\.))\s+(?P<rest>[^;]+(?:;[^;]+){2,})$",
        tail,
        re.DOTALL,
    )
    if not found:
        if not head or tail.count(";") < 2:
            return None
        return _unlabelled(head, tail.split(";"))
    stem = f"{head}\n{found['stem']}" if head else found["stem"]
    return _unlabelled(stem, found["rest"].split(";"))


def _unlabelled(stem: str, options: Sequence[str]) -> Choice | None:
    texts = tuple(option.strip() for option in options)
    if not 3 <= len(texts) <= len(LETTERS) or not all(texts) or not stem.strip():
        return None
    return Choice(stem, tuple(LETTERS[: len(texts)]), texts, False)


def _settles(choice: Choice, answer: str) -> bool:
    match = match_answer(choice, answer)
    return match is not None and match.how in ("text", "label", "text and label")
