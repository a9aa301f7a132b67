"""Multiple-choice rows: where the stem ends and what the options are."""

import re
from collections.abc import Sequence

from kd_kedro.curation.matching import Choice, match_answer

LETTERS = "abcdefghij"
ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii")
# Longer texts are passages, whatever lists they hold; looking for options in one takes hours.
MAX_CHARACTERS = 20_000
KINDS = (LETTERS, ROMANS, tuple(map(str, range(1, 11))))

Mark = re.Match[str]

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
    if len(question) > MAX_CHARACTERS:
        return None
    runs = [run for kind in KINDS if (run := _run(question, kind))]
    if runs and (choice := _labelled(question, _outer(runs))):
        return choice
    for choice in (_semicolons(question), _own_lines(question)):
        if choice and answer and _settles(choice, answer):
            return choice
    return None


def _run(question: str, kind: Sequence[str]) -> list[Mark]:
    """Return the longest run of labels a, b, c … of one kind, those on lines' starts first."""
    marks = [mark for mark in _LABEL.finditer(question) if mark["label"].casefold() in kind]
    at_lines = [mark for mark in marks if _starts_line(question, mark)]
    best = _longest(at_lines, kind)
    if len(best) < 3:
        best = max((best, _longest(marks, kind)), key=len)
    # Two labels are a list only where brackets leave no doubt that they are labels.
    least = 2 if kind is LETTERS and best and best[0]["close"] == ")" else 3
    return best if len(best) >= least else []


def _longest(marks: Sequence[Mark], kind: Sequence[str]) -> list[Mark]:
    best: list[Mark] = []
    for start, mark in enumerate(marks):
        if mark["label"].casefold() != kind[0]:
            continue
        run, place = [mark], start
        while len(run) < len(kind):
            fits = [
                later
                for later in range(place + 1, len(marks))
                if marks[later]["label"].casefold() == kind[len(run)]
                and _same_form(mark, marks[later])
            ]
            if not fits:
                break
            # A forgotten opening bracket is common, but "(p + d)" is not a label "d)".
            place = next((n for n in fits if marks[n]["open"] == mark["open"]), fits[0])
            run.append(marks[place])
        # Of equal runs the later one: the stem may list facts that the options then combine.
        if len(run) >= len(best):
            best = run
    return best


def _outer(runs: Sequence[list[Mark]]) -> list[Mark]:
    """Return the run that holds the options: the last to start that no other encloses."""
    free = [
        run
        for run in runs
        if not any(o[0].start() < run[0].start() < o[-1].start() for o in runs if o is not run)
    ]
    return max(free, key=lambda run: run[0].start())


def _labelled(question: str, run: Sequence[Mark]) -> Choice | None:
    stem = question[: run[0].start()].rstrip()
    ends = [mark.start() for mark in run[1:]] + [len(question)]
    options = tuple(
        re.sub(r"\s+", " ", question[mark.end() : end]).strip()
        for mark, end in zip(run, ends, strict=True)
    )
    if not stem.strip() or not all(options):
        return None
    return Choice(stem, tuple(mark["label"].casefold() for mark in run), options, True)


def _same_form(first: Mark, other: Mark) -> bool:
    same_case = first["label"].isupper() == other["label"].isupper() or first["label"].isdigit()
    return first["close"] == other["close"] and same_case


def _starts_line(question: str, mark: Mark) -> bool:
    return question[: mark.start()].rstrip(" \t")[-1:] in ("\n", "")


def _own_lines(question: str) -> Choice | None:
    """Return options that stand on lines of their own, without labels."""
    lines = [line.strip() for line in question.strip().split("\n") if line.strip()]
    if any(line.startswith("|") for line in lines):
        return None
    # The stem ends at the last line that asks or announces; else four lines are options.
    ends = [n for n, line in enumerate(lines[:-3]) if line.endswith(("?", ":")) or "____" in line]
    cut = ends[-1] + 1 if ends and len(lines) - ends[-1] <= 7 else max(len(lines) - 4, 1)
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
