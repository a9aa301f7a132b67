"""Options without labels: on lines of their own, or in one line, parted by semicolons."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from kd_kedro.curation.questions.answer_key import (
    LETTERS,
    SAYS_ANSWER,
    Choice,
    bullet,
    without_bullets,
    without_label,
)
from kd_kedro.curation.questions.option_boundary import find_boundary
from kd_kedro.text.language import asks
from kd_kedro.text.normalise import squeeze, without_end
from kd_kedro.text.words import words_and_signs

FEWEST, MOST, USUAL = 3, 6, 4
# Below this another place is as likely to be where the first option begins.
MIN_PROBABILITY = 0.5


def unlabelled_choices(question: str, answer: str) -> Iterator[Choice]:
    """Yield what may be the options of a question that labels none, the likeliest first.

    Args:
        question: The question, its line breaks as they came.
        answer: The answer; its text helps to see where an option begins and ends.
    """
    lines = [line.strip() for line in question.strip().split("\n") if line.strip()]
    if not lines:
        return
    asked = lines.pop() if _asks_last(lines) else ""
    if asked and _text(answer):
        # The text of the answer needs no options, and the question may need what is listed.
        return
    marks = [line.count(";") for line in lines]
    # "g = 2; h = 3" in line after line: there the line is the option.
    one_line = marks[-1] >= FEWEST - 1 and (len(lines) < FEWEST or len(set(marks[-FEWEST:])) > 1)
    found = [_semicolons(lines, answer)] if one_line else []
    if not any(line.startswith("|") for line in lines):
        found += [
            _choice("\n".join(lines[:-size]), without_bullets(lines[-size:], answer))
            for size in _line_counts(lines)
        ]
    for choice in filter(None, found):
        yield replace(choice, stem=f"{choice.stem}\n{asked}".strip())


def _asks_last(lines: Sequence[str]) -> bool:
    """Return whether the last line asks for what is listed above it."""
    if len(lines) < 2 or not asks(lines[-1]):
        return False
    if lines[-2].count(";") >= FEWEST - 1 and ";" not in lines[-1]:
        return True
    listed = lines[-1 - FEWEST : -1]
    if all(map(bullet, listed)):
        return not bullet(lines[-1])
    # Options may ask, too.
    return len(lines) > FEWEST + 1 and not any(map(asks, lines[:-1]))


def _choice(stem: str, options: Sequence[str]) -> Choice:
    return Choice(stem, tuple(LETTERS[: len(options)]), tuple(options), False)


def _line_counts(lines: Sequence[str]) -> list[int]:
    """Return how many of the last lines may be options, the likeliest count first."""
    if len(lines) <= FEWEST:
        return []
    listed = len(list(takewhile(bullet, reversed(lines))))
    if listed >= FEWEST:
        return [listed] if listed <= len(LETTERS) else []
    ends = [n for n, line in enumerate(lines[:-FEWEST]) if _closes_stem(line)]
    counts = [USUAL] if len(lines) > USUAL else []
    if ends:
        marked = len(lines) - ends[-1] - 1
        if marked == FEWEST and counts and _same_end(lines[ends[-1] :]):
            # Options may ask, too.
            return [USUAL, FEWEST]
        if marked == FEWEST or marked > MOST:
            counts = [*counts, FEWEST] if marked > MOST else [FEWEST, *counts]
        elif marked != USUAL and not _stands_out(lines[-marked], lines[1 - marked :]):
            counts = [marked, *counts]
    return counts


def _closes_stem(line: str) -> bool:
    return asks(line) or line.endswith((":", "：")) or "____" in line


def _same_end(lines: Sequence[str]) -> bool:
    return len({line[-1] for line in lines}) == 1


def _stands_out(first: str, others: Sequence[str]) -> bool:
    """Return whether a line after the stem's mark is more of the stem than an option."""
    return (
        (first.endswith((".", "!")) and not any(other.endswith((".", "!")) for other in others))
        or bool(re.match(r"\(?\w{1,3}[.)]\s", first))
        or len(first) > 2.5 * max(map(len, others)) + 20
        or (";" in first) > all(";" in other for other in others)
    )


def _semicolons(lines: Sequence[str], answer: str) -> Choice | None:
    """Return the options in the last line; the first of them may follow the stem directly."""
    parts = [part.strip() for part in re.split(r";(?=\s)", lines[-1].rstrip("; "))]
    # What asks before its last semicolons is stem, semicolons included.
    asks = [n for n, part in enumerate(parts[: 1 - FEWEST]) if re.search(r"\?:?\s+\S", part)]
    ends = [n for n, part in enumerate(parts) if re.search(r"[.:!_]\s+\S", part)]
    if not asks and len(parts) > USUAL and ends and ends[-1] == len(parts) - USUAL:
        asks = ends
    if asks:
        parts = ["; ".join(parts[: asks[-1] + 1]), *parts[asks[-1] + 1 :]]
    if not all(parts):
        return None
    # "rent; tax; wages. Which is it?": where the last option ends is not certain.
    if re.search(r"[.!]\s+\S.*\?$", parts[-1]) and not any("?" in part for part in parts[:-1]):
        return None
    head = "\n".join(lines[:-1])
    options = _whole_options(parts, len(re.findall("_{2,}", f"{head} {parts[0]}")), _text(answer))
    if not FEWEST <= len(options) <= MOST:
        return None
    return _cut_stem(head, options[0], options[1:], _text(answer))


def _text(answer: str) -> str:
    """Return an answer without a label before it; '' where it is a label alone."""
    anything = Choice("", tuple(LETTERS), tuple("-" * len(LETTERS)), False)
    return SAYS_ANSWER.sub("", without_label(anything, answer))


def _whole_options(parts: list[str], blanks: int, text: str) -> list[str]:
    """Return options from what stands between semicolons, those put together that have some."""
    if len(parts) <= USUAL:
        return parts
    # "one; still one.; two."
    if len(whole := _joined(parts, lambda before, _: before[-1:] not in ".!?")) == USUAL:
        return whole
    sizes = [size for size in (2, 3) if len(parts) % size == 0 and len(parts) // size >= FEWEST]
    for size in sizes:
        if _in_steps(parts, size) or blanks == size or text.count(";") == size - 1:
            return ["; ".join(parts[n : n + size]) for n in range(0, len(parts), size)]
    # "One; still one; Two"
    whole = _joined(parts, lambda _, part: part[:1].islower())
    return whole if len(whole) == USUAL else parts


def _joined(parts: Sequence[str], goes_on: Callable[[str, str], bool]) -> list[str]:
    whole = list(parts[:1])
    for part in parts[1:]:
        if goes_on(whole[-1], part):
            whole[-1] += f"; {part}"
        else:
            whole.append(part)
    return whole


def _in_steps(parts: Sequence[str], size: int) -> bool:
    """Return whether every second (third) part starts or ends with the same words."""
    for place in range(1, size):
        listed = [part.split() for part in parts[place::size]]
        if len({each[0] for each in listed}) > 1 and len({tuple(each[-2:]) for each in listed}) > 1:
            return False
    return True


def _cut_stem(head: str, first: str, others: Sequence[str], text: str) -> Choice | None:
    """Return the stem and the options, where the stem's end is certain enough."""
    known = {tuple(words_and_signs(other)) for other in others}
    wanted = without_end(text, ". ")
    plain = squeeze(first)
    if wanted and tuple(words_and_signs(text)) not in known:
        # The answer is the first option: it says where that begins.
        start = len(plain.rstrip(". ")) - len(wanted)
        if not plain.rstrip(". ").casefold().endswith(wanted) or plain[start - 1 : start].isalnum():
            return None
        stem = f"{head}\n{plain[:start]}".strip()
        return _choice(stem, [plain[start:], *others]) if stem else None
    before = head.split()
    words = [*before, *plain.split()]
    if len(words) < 2:  # one word is an option and no stem
        return None
    longest = max(len(other.split()) for other in others)
    if before and len(plain.split()) <= 1.5 * longest + 1 and not re.search(r"[?:.!_]\s", plain):
        # The line holds nothing but options.
        return _choice(head, [plain, *others])
    breaks = _line_starts(head) | {len(before)} if before else frozenset[int]()
    place, probability = find_boundary(words, frozenset(breaks), others)
    if probability < MIN_PROBABILITY:
        return None
    own = words[len(before) : place]
    return _choice(f"{head}\n{' '.join(own)}".strip(), [" ".join(words[place:]), *others])


def _line_starts(head: str) -> frozenset[int]:
    starts, count = set(), 0
    for line in head.split("\n"):
        starts.add(count)
        count += len(line.split())
    return frozenset(starts - {0})
