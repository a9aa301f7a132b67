"""Rows that are longer than a limit of tokens: counted and told before they are cut."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

Facts = Mapping[str, Any]
ALL = "all"


def count_long_rows(
    lengths: Mapping[str, Mapping[str, int]], limit: int, most: float = 0.0
) -> Facts:
    """Count the rows that are longer than a limit.

    Args:
        lengths: By part (training, validation, held-out) the tokens of each row, by its id.
        limit: Tokens from which on a row is cut.
        most: Share of rows that may be longer.

    Returns:
        Plain JSON values: `limit`; `parts`, a list of `part`, `rows`, `long` and `longest`
        (tokens), those without rows left out; `enough`, the least limit that lets no more rows be
        cut than `most` allows; `rows`, the long ones as `row_id`, `part` and `tokens`, longest
        first.
    """
    parts = {part: sorted(own.values(), reverse=True) for part, own in lengths.items() if own}
    everything = {**parts, ALL: sorted((n for own in parts.values() for n in own), reverse=True)}
    long = [
        {"row_id": row_id, "part": part, "tokens": tokens}
        for part, own in lengths.items()
        for row_id, tokens in own.items()
        if tokens > limit
    ]
    return {
        "limit": limit,
        "parts": [
            {
                "part": part,
                "rows": len(own),
                "long": sum(tokens > limit for tokens in own),
                "longest": own[0],
            }
            for part, own in parts.items()
        ],
        "enough": max((_enough(part, own, most) for part, own in everything.items()), default=0),
        "rows": sorted(long, key=lambda row: (-row["tokens"], row["row_id"])),
    }


def too_many_long_rows(facts: Facts) -> bool:
    """Return whether more rows are longer than the limit than the counted share allows."""
    return bool(facts["enough"] > facts["limit"])


def counts_sentence(facts: Facts, noun: str = "rows") -> str:
    """Return how many rows of which part are longer, '' where none is."""
    return _join(
        f"{part['long']:,} of {part['rows']:,} {part['part']} {noun} "
        f"({_percent(part['long'] / part['rows'])} %)"
        for part in facts["parts"]
        if part["long"]
    )


def longest_row(facts: Facts) -> int:
    """Return the tokens of the longest row."""
    return max((int(part["longest"]) for part in facts["parts"]), default=0)


def _enough(part: str, descending: list[int], most: float) -> int:
    """Return the least limit under which no more rows than a share are cut.

    One row of a part may always be: of few held-out rows it would be a large share.
    """
    if not descending:
        return 0
    allowed = math.floor(most * len(descending))
    if part != ALL and most:
        allowed = max(1, allowed)
    return descending[allowed] if allowed < len(descending) else 0


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0")


def _join(parts: Iterator[str]) -> str:
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} and {last}" if first else last
