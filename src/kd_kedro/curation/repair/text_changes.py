"""What a change of a text did: each changed place with what stood there before and after."""

from collections.abc import Iterable
from typing import Any, NamedTuple

# Two texts are in step again where so many characters agree.
_IN_STEP = 3
_WINDOW = 200  # characters within which they get in step, or all that follows is one change
MOST_SPANS = 5  # places of one repair that an event tells
_LONGEST = 80  # characters of a place that it tells


class Span(NamedTuple):
    """A changed place.

    Attributes:
        start: Where it starts in the text as it was, from 0.
        before: What stood there; '' where something was added.
        after: What stands there now; '' where something was taken away.
    """

    start: int
    before: str
    after: str


def changed_spans(before: str, after: str) -> list[Span]:
    """Return the places in which two texts differ, in their order.

    Put in place of each `before`, the `after` makes the second text of the first. Many changes
    close together may come as one.
    """
    end = 0
    while end < min(len(before), len(after)) and before[-1 - end] == after[-1 - end]:
        end += 1
    was, now = before[: len(before) - end], after[: len(after) - end]
    spans: list[Span] = []
    at = to = 0
    while at < len(was) or to < len(now):
        if at < len(was) and to < len(now) and was[at] == now[to]:
            at, to = at + 1, to + 1
            continue
        gone, come = _until_in_step(was, now, at, to)
        spans.append(Span(at, was[at : at + gone], now[to : to + come]))
        at, to = at + gone, to + come
    return spans


def changed_characters(spans: Iterable[Span]) -> int:
    """Return how many characters changed: of each place the longer of before and after."""
    return sum(max(len(span.before), len(span.after)) for span in spans)


def change_evidence(column: str, repair: str, before: str, after: str) -> dict[str, Any]:
    """Return what an event tells of one repair of one cell.

    Args:
        column: The cell's column.
        repair: The repair's name.
        before: The cell before the repair.
        after: The cell after it.

    Returns:
        `column`, `repair`, `characters` (how many changed), `places` (in how many places) and
        `spans`, the first `MOST_SPANS` places as `at, before, after`; long ones are cut.
    """
    spans = changed_spans(before, after)
    shown = [
        {"at": span.start, "before": _cut(span.before), "after": _cut(span.after)}
        for span in spans[:MOST_SPANS]
    ]
    return {
        "column": column,
        "repair": repair,
        "characters": changed_characters(spans),
        "places": len(spans),
        "spans": shown,
    }


def _until_in_step(was: str, now: str, at: int, to: int) -> tuple[int, int]:
    """Return the fewest characters to pass over in both texts until they agree again."""
    for passed in range(1, _WINDOW + 1):
        for gone in range(passed + 1):
            one, other = at + gone, to + passed - gone
            if one > len(was) or other > len(now):
                continue
            if was[one : one + _IN_STEP] == now[other : other + _IN_STEP]:
                return gone, passed - gone
    return len(was) - at, len(now) - to


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
