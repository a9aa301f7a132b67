"""Multiple-choice rows: where the stem ends and what the options are."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from textwrap import dedent

from kd_kedro.curation.questions.answer_key import LETTERS, Choice, bullet, names_option
from kd_kedro.curation.questions.open_question import is_open_question
from kd_kedro.curation.questions.unlabelled import unlabelled_choices
from kd_kedro.text.language import asks
from kd_kedro.text.layout import has_layout
from kd_kedro.text.normalise import one_line

_IN_BRACKETS = re.compile(r"\([^()]*\)")
ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii")
# Longer texts are passages, whatever lists they hold; looking for options in one takes hours.
MAX_CHARACTERS = 20_000
KINDS = (LETTERS, ROMANS, tuple(map(str, range(1, 11))))

# What asks behind the last option: a line that begins anew, or a sentence.
_LINE_BEHIND = re.compile(r"\n[^\S\n]*(?P<asked>(?![a-z])\S[\s\S]*)")
_SENTENCE_BEHIND = re.compile(
    r"\s(?P<asked>(?:What|Which|Who|Whom|Whose|When|Where|Why|How)\s[^?]*\?)$"
)

Mark = re.Match[str]
Run = list[Mark]

# A label and what closes it: "(a)", "a)", "A.", "[a]", "((a))", "Option A:", "A -". It stands at a
# line's start or after a space, and a space or the option follows.
_LABEL = re.compile(
    r"(?:(?<=\s)|^|(?<=[?:;.,])(?=[(\[]))(?P<word>option[ \t]+)?(?P<open>[(\[]{0,2})"
    r"(?P<label>[A-Ja-j]|[ivIV]{1,4}|\d{1,2})"
    r"(?P<close>[)\]]{1,2}|\.\)|[.:](?=\s)|[ \t]*[-–—](?=[ \t]))(?=\s*\S)",
    re.MULTILINE | re.IGNORECASE,
)
# In small letters: "exclusive OR" is an option.
_LINK = re.compile(r"(?<=[;,\s])(?:and|or|und|oder|et|ou)$")
# Behind a word of prose: "?" may be an option, or end one.
_SENTENCE_END = re.compile(r"(?<!\S)([^\W\d_]+)\s*\?$")
# Between two labels of "(a), (b) and (c)" there is no option.
_CONNECTIVE = re.compile(r"[\s,;&/]*(?:(?:and|or|nor|to)\b[\s,]*)?")


def parse_choice(question: str, answer: str = "") -> Choice | None:
    """Return the stem and the options of a multiple-choice question, None where it is none.

    Args:
        question: The question, its line breaks as they came.
        answer: The answer. Options without labels are taken for options only where the answer
            is one of them or a bare label.
    """
    if len(question) > MAX_CHARACTERS:
        return None
    question = _without_bullets(question)
    marks = list(_LABEL.finditer(question))
    run = _outer([run for kind in KINDS for run in _runs(question, marks, kind)])
    labelled = _labelled(question, run) if run else None
    if labelled and not _goes_on(question, run):
        return labelled
    if answer.strip():
        for choice in unlabelled_choices(question, answer):
            if names_option(choice, answer):
                return choice
    return labelled


def write_choice(choice: Choice | None) -> str:
    """Return stem and options as the cell of a table, '' where there are none."""
    return json.dumps(asdict(choice), ensure_ascii=False) if choice else ""


def read_choice(cell: str) -> Choice | None:
    """Return what `write_choice` wrote, None where the cell is empty."""
    if not cell:
        return None
    read = json.loads(cell)
    return Choice(read["stem"], tuple(read["labels"]), tuple(read["options"]), read["labelled"])


def _runs(question: str, found: Sequence[Mark], kind: Sequence[str]) -> Iterator[Run]:
    """Yield the lists of labels a, b, c … of one kind, one for each place where one starts."""
    marks = [mark for mark in found if mark["label"].casefold() in kind]
    at_lines = [mark for mark in marks if _starts_line(question, mark)]
    # ":" and "-" close a label at a line's start only: "Step 1:" is no option. A letter and ":" may
    # stand in a line where the first follows a mark: "Which? A: one B: two".
    marks = [
        mark
        for mark in marks
        if mark["close"][-1] not in ":-–—"
        or mark["word"]
        or mark in at_lines
        or (mark["close"] == ":" and kind is LETTERS)
    ]
    on_lines = [
        run for start in range(len(at_lines)) if (run := _run(question, at_lines[start:], kind))
    ]
    taken = {mark.start() for run in on_lines for mark in run}
    yield from on_lines
    for start in range(len(marks)):
        # "on May 1. It was …" is no label where the lines below are numbered.
        run = _run(question, marks[start:], kind) if _is_apart(question, marks[start]) else []
        if run and not taken & {each.start() for each in run}:
            yield run
    if not on_lines and (run := _shuffled(at_lines, kind)):
        yield run


def _is_apart(question: str, mark: Mark) -> bool:
    """Return whether a label is no part of what stands before it: "Step A:"."""
    before = question[: mark.start()].rstrip(" \t")[-1:]
    return mark["close"] != ":" or bool(mark["word"]) or before in ("", *"\n.?!:;,_")


def _run(question: str, marks: Sequence[Mark], kind: Sequence[str]) -> Run:
    """Return the list of labels that the first mark starts, empty where it starts none."""
    run, place = [marks[0]], 0
    if marks[0]["label"].casefold() != kind[0]:
        return []
    while len(run) < len(kind):
        fits = [
            later
            for later in range(place + 1, len(marks))
            if marks[later]["label"].casefold() == kind[len(run)]
            and _same_form(marks[0], marks[later])
        ]
        if not fits:
            break
        # A forgotten opening bracket is common, but "(p + d)" is not a label "d)".
        place = next((n for n in fits if marks[n]["open"] == marks[0]["open"]), fits[0])
        # "it is 58° C. C. 56° C.": the second is the label; "B. B. F. Hall": the first.
        between = question[marks[place].end() : marks[min(place + 1, len(marks) - 1)].start()]
        if place + 1 in fits and not between.strip():
            place += not re.match(r"\s*[A-Z]\.", question[marks[place + 1].end() :])
        run.append(marks[place])
    # Two labels are a list only where brackets leave no doubt that they are labels.
    least = 2 if kind is LETTERS and run[0]["close"][-1] in ")]" else 3
    return run if len(run) >= least and not _is_reference(question, run) else []


def _shuffled(at_lines: Sequence[Mark], kind: Sequence[str]) -> Run:
    """Return the labels on lines' starts where they are a, b, c … in another order."""
    labels = sorted(kind.index(mark["label"].casefold()) for mark in at_lines)
    same = all(_same_form(at_lines[0], mark) for mark in at_lines)
    return list(at_lines) if len(labels) > 2 and same and labels == list(range(len(labels))) else []


def _is_reference(question: str, run: Run) -> bool:
    """Return whether labels are only named, as in "(a), (b) and (c) are true"."""
    return any(
        _CONNECTIVE.fullmatch(question, one.end(), other.start()) for one, other in pairwise(run)
    )


def _outer(runs: Sequence[Run]) -> Run:
    """Return the run that holds the options: the last to start that no other encloses."""
    free = [
        run
        for run in runs
        # "A. Smith asks: A. one B. two" starts twice and ends once: there the later start counts.
        if not any(
            o[0].start() < run[0].start() < o[-1].start() and o[-1].start() != run[-1].start()
            for o in runs
        )
    ]
    return max(free, key=lambda run: (run[0].start(), len(run)), default=[])


def _goes_on(question: str, run: Run) -> bool:
    """Return whether after a list of facts the options stand on lines or between semicolons."""
    ends = [mark.start() for mark in run[1:]] + [len(question)]
    texts = [question[mark.end() : end].strip() for mark, end in zip(run, ends, strict=True)]
    if _part_question(texts)[1]:
        return False
    texts = [_IN_BRACKETS.sub("", text) for text in texts]  # "for (;;)" parts no options
    return any(
        texts[-1].count(sign) >= least + max(text.count(sign) for text in texts[:-1])
        for sign, least in (("\n", 3), (";", 2))
    )


def _labelled(question: str, run: Sequence[Mark]) -> Choice | None:
    stem = question[: run[0].start()].rstrip()
    ends = [mark.start() for mark in run[1:]] + [len(question)]
    texts = [question[mark.end() : end] for mark, end in zip(run, ends, strict=True)]
    texts[-1], asked = _part_question(texts, asks(stem))
    options = tuple(map(_option, texts))
    if "\n" not in question[len(stem) : run[-1].start()]:
        options = _without_links(stem, options)
    stem = "\n".join(part for part in (stem, asked) if part.strip())
    if not stem or not all(options):
        return None
    return Choice(stem, tuple(mark["label"].casefold() for mark in run), options, True)


def _part_question(texts: Sequence[str], stem_asks: bool = True) -> tuple[str, str]:
    """Return the last option's text and the question behind it, '' where it is followed by none.

    Args:
        texts: The texts of the options.
        stem_asks: Whether the stem asks. Where it does not, a command in a line of its own counts,
            and a question in the last option's line.
    """
    *others, last = [text.strip() for text in texts]
    *above, end = last.split("\n")
    several = any("\n" in text for text in others)
    commands = not (stem_asks or several) and is_open_question(end)
    if not (asks(last) or (above and commands)) or any(map(asks, (*others, *above))):
        return texts[-1], ""
    # Where options have several lines, one line alone is surely the question.
    found = _LINE_BEHIND.search(last, max(last.rfind("\n"), 0) if several else 0)
    if not (found or stem_asks):
        found = _SENTENCE_BEHIND.search(last)
    return (last[: found.start()], found["asked"]) if found else (texts[-1], "")


def _without_bullets(question: str) -> str:
    """Return a question without bullets before labels: "- A) one"."""
    lines = question.split("\n")
    bare = [line.lstrip().removeprefix(bullet(line.lstrip())) for line in lines]
    return "\n".join(
        plain if _LABEL.match(plain) else line for line, plain in zip(lines, bare, strict=True)
    )


def _without_links(stem: str, options: Sequence[str]) -> tuple[str, ...]:
    """Return options without what makes one sentence of them and their stem.

    That is "or" before the last one, and behind it the mark of a question that the stem lacks.
    """
    *others, last = options
    others[-1] = _LINK.sub("", others[-1]).rstrip()
    bare = _SENTENCE_END.sub(r"\1", last)
    # Beside "colou*", "colou?" is a pattern.
    if not asks(stem) and bare not in others and not {*"?*"} & {*"".join(others)}:
        last = bare
    return (*others, last)


def _option(text: str) -> str:
    if not has_layout(text.strip()):
        return one_line(text)
    # Lines below a label are indented alike; how they are to each other means something.
    beside, _, below = text.partition("\n")
    return (text if beside.strip() else dedent(below)).strip()


def _same_form(first: Mark, other: Mark) -> bool:
    same_case = first["label"].isupper() == other["label"].isupper() or first["label"].isdigit()
    return first["close"] == other["close"] and same_case


def _starts_line(question: str, mark: Mark) -> bool:
    return question[: mark.start()].rstrip(" \t")[-1:] in ("\n", "")
