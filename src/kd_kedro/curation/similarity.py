"""When do two texts say the same? Near in meaning is not enough: "Rs 500" is near "Rs 600".

A text's *signature* holds what similarity overlooks: its numbers, units, negations and words of
direction (debit, credit). Rows merge only where signatures are equal and names agree. Equality
is transitive, and names are checked against every member of a family, so no chain of near pairs
brings together what differs.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kd_kedro.curation.blanks import word_set
from kd_kedro.curation.preservation import directions, names, negations, numbers, units
from kd_kedro.curation.rows import normalise

Vectors = npt.NDArray[np.float32]
Signature = tuple[tuple[tuple[str, int], ...] | int | tuple[str, ...] | str, ...]

# Quantifiers and links vary between rewordings of one question. "After" is what a question asks
# without saying so ("the entry after a sale"), and "before" still tells the two apart.
_LOOSE = word_set("after all some any both either only and or most least first last long short")
_WORD = re.compile(r"[^\W_]+(?:['’&.-][^\W_]+)*")
_LETTER = re.compile(r"[^\W\d_]")
# With Latin Extended Additional, which Vietnamese is written in.
_LATIN_LETTER = re.compile(r"[^\W\d_\u0250-\u1dff\u1f00-\U0010ffff]")
_START = re.compile(r"(?:^|[.!?:\n]\s*|[“\"‘(]\s*)([A-Z][^\W\d_]+)\b")
# Words a sentence may start with that are no names.
_STARTERS = word_set(
    "a according advise after all also am an analyse analyze and any are as assess at based "
    "because before both briefly but by calculate can choose classify compare complete compute "
    "consider could define derive describe determine did differentiate discuss distinguish do "
    "does draw during each either elaborate enumerate establish evaluate examine explain fill "
    "find following for from give given had has have he her here highlight his how however "
    "identify if illustrate in indicate is it its journalise journalize justify kindly let list "
    "may mention might must name no not of on one or our outline pass please prepare provide "
    "record select she should show since so some specify state suggest summarise summarize "
    "suppose tell that the their them then there these they this those to total under until use "
    "using was we were what when where whether which while who whom whose why will with would "
    "write you your"
)


class Pair(NamedTuple):
    """Two rows by position, `first` < `second`, and the cosine of their vectors."""

    first: int
    second: int
    similarity: float


@lru_cache(maxsize=200_000)
def signature(text: str) -> Signature:
    """Return what must be equal in two texts that say the same, whatever their similarity.

    Numbers and units count by how often they stand there, negations by how many there are (a
    rewording turns "cannot" into "is unable to"), directions by which there are. A text in
    another script than Latin counts whole: to the embedder its words are unknown, and questions
    in Thai or Chinese that have nothing in common have a cosine of 1.
    """
    return (
        tuple(sorted(numbers(text).items())),
        tuple(sorted(units(text).items())),
        sum(negations(text).values()),
        tuple(sorted(set(directions(text)) - _LOOSE)),
        normalise(text) if _in_other_script(text) else "",
    )


def names_agree(one: str, other: str) -> bool:
    """Return whether every name in either text stands in the other, as a name or not."""
    return _names(one) <= _words(other) and _names(other) <= _words(one)


def near_pairs(
    vectors: Vectors, keys: Sequence[object], threshold: float, chunk_rows: int = 2048
) -> list[Pair]:
    """Return the pairs of rows with equal key and cosine of at least a threshold.

    Args:
        vectors: float32 (n, d), rows of length 1.
        keys: n hashable keys; rows of different keys are never compared.
        threshold: Cosine.
        chunk_rows: Rows compared at once; memory is chunk_rows² floats.

    Returns:
        Pairs sorted by falling similarity, then by position.
    """
    groups: dict[object, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        groups[key].append(row)
    pairs: list[Pair] = []
    for members in groups.values():
        if len(members) > 1:
            rows = np.array(members)
            pairs += _pairs_of_group(vectors[rows], rows, threshold, chunk_rows)
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def unite(rows: int, pairs: Iterable[Pair], agree: Callable[[int, int], bool]) -> list[list[int]]:
    """Return families of rows: pairs in turn join two families where all their members agree.

    Args:
        rows: Number of rows.
        pairs: In the order in which they are to join.
        agree: Whether two rows may be of one family.

    Returns:
        Families of positions in rising order, ordered by their first member; each row is in one.
    """
    family = {row: [row] for row in range(rows)}
    for first, second, _ in pairs:
        left, right = family[first], family[second]
        if left is right or not all(agree(one, other) for one in left for other in right):
            continue
        if len(left) < len(right):
            left, right = right, left
        left.extend(right)
        family.update(dict.fromkeys(right, left))
    unique = {id(members): members for members in family.values()}
    return sorted(sorted(members) for members in unique.values())


def _pairs_of_group(
    vectors: Vectors, rows: npt.NDArray[np.int64], threshold: float, chunk_rows: int
) -> list[Pair]:
    pairs = []
    for top in range(0, len(rows), chunk_rows):
        for left in range(top, len(rows), chunk_rows):
            block = vectors[top : top + chunk_rows] @ vectors[left : left + chunk_rows].T
            # A hair's breadth below 1 is rounding, not difference.
            first, second = np.nonzero(block >= threshold - 1e-6)
            for one, other in zip(first.tolist(), second.tolist(), strict=True):
                if top + one < left + other:
                    similarity = min(1.0, float(block[one, other]))
                    pairs.append(Pair(int(rows[top + one]), int(rows[left + other]), similarity))
    return pairs


def _in_other_script(text: str) -> bool:
    """Return whether more than half of the letters are not Latin."""
    if text.isascii():
        return False
    return 2 * len(_LATIN_LETTER.findall(text)) < len(_LETTER.findall(text))


@lru_cache(maxsize=200_000)
def _names(text: str) -> frozenset[str]:
    starts = {word.casefold() for word in _START.findall(text)} - _STARTERS
    return frozenset(names(text) | starts)


@lru_cache(maxsize=200_000)
def _words(text: str) -> frozenset[str]:
    # A text's own names stand in it, however the words are cut.
    return _names(text) | {word.casefold() for word in _WORD.findall(text)}
