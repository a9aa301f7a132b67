"""Which rows have near vectors? Rows are compared inside cells, so that time grows with the rows.

Few rows are compared all with all. Many are dealt to the cells of a k-means clustering, and each
row is compared with the rows of the cells it is nearest to: an inverted file (Jégou, Douze and
Schmid 2011, "Product quantization for nearest neighbor search", without the quantization, so that
what is found has its exact cosine). The nearer two rows are, the surer they are to meet.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

EXHAUSTIVE_ROWS = 8192  # up to here a group is one cell and nothing is missed
PROBES = 6  # cells that a row is compared with
NEIGHBOURS = 32  # of one row in one cell, the nearest
_CHUNK = 1024  # rows compared at once
_SAMPLE = 32  # rows per cell that k-means learns from


class Pair(NamedTuple):
    """Two rows by position, `first` < `second`, and the cosine of their vectors."""

    first: int
    second: int
    similarity: float


def near_pairs(
    vectors: Vectors,
    keys: Sequence[object],
    threshold: float,
    askers: Collection[int] | None = None,
    exhaustive_rows: int = EXHAUSTIVE_ROWS,
) -> list[Pair]:
    """Return the pairs of rows with equal key and cosine of at least a threshold.

    Of a row's neighbours in one cell only the nearest `NEIGHBOURS` are named: rows that all say
    the same hang together by them, and rows that are all alike do not make a pair each with each.

    Args:
        vectors: float32 (n, d), rows of length 1.
        keys: n hashable keys; rows of different keys are never compared, nor those of None.
        threshold: Cosine.
        askers: Rows whose neighbours are searched for, among all rows; None: those of every row.
        exhaustive_rows: Rows of one key up to which all are compared with all.

    Returns:
        Pairs sorted by falling similarity, then by position.
    """
    groups: dict[object, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        if key is not None:
            groups[key].append(row)
    asking = None if askers is None else set(askers)
    found: list[tuple[Rows, Rows, Vectors]] = []
    for group in groups.values():
        members = np.array(group)
        seeking = members if asking is None else np.array([row for row in group if row in asking])
        if len(members) > 1 and len(seeking):
            found += _hits(vectors, members, seeking, threshold, exhaustive_rows)
    if not found:
        return []
    one, other, cosine = (np.concatenate(column) for column in zip(*found, strict=True))
    first, second = np.minimum(one, other), np.maximum(one, other)
    # Two rows may meet in two cells.
    _, unique = np.unique(first * len(keys) + second, return_index=True)
    first, second, cosine = first[unique], second[unique], np.minimum(cosine[unique], 1.0)
    order = np.lexsort((second, first, -cosine))
    columns = first[order].tolist(), second[order].tolist(), cosine[order].tolist()
    return [Pair(*pair) for pair in zip(*columns, strict=True)]


def nearest_others(
    asking: Vectors,
    asking_groups: Rows,
    floors: Vectors,
    vectors: Vectors,
    groups: Rows,
    count: int,
    exhaustive_rows: int = EXHAUSTIVE_ROWS,
) -> dict[int, list[tuple[int, float]]]:
    """Return the rows of other groups that vectors are nearest to.

    Args:
        asking: float32 (m, d), vectors of length 1 that are no rows themselves.
        asking_groups: The group of each of them.
        floors: float32 (m,), the cosine that a row must exceed.
        vectors: float32 (n, d), rows of length 1.
        groups: The group of each row.
        count: Most rows named for one vector.
        exhaustive_rows: Rows up to which every vector is compared with all of them.

    Returns:
        By place of the asking vector, where it has any: rows and their cosines, nearest first.
    """
    everything = np.arange(len(vectors)), np.arange(len(asking))
    found = []
    for askers, members, cosine in _blocks(vectors, asking, *everything, exhaustive_rows):
        near = cosine > floors[askers][:, None]
        near &= asking_groups[askers][:, None] != groups[members]
        cosine[~near] = -1.0
        one, other = np.nonzero(_nearest(near, cosine, count))
        found.append((askers[one], members[other], cosine[one, other]))
    nearest: dict[int, list[tuple[int, float]]] = defaultdict(list)
    if found:
        asker, row, cosine = (np.concatenate(column) for column in zip(*found, strict=True))
        for place in np.lexsort((row, -cosine, asker)).tolist():
            rows = nearest[int(asker[place])]
            if len(rows) < count:
                rows.append((int(row[place]), float(cosine[place])))
    return dict(nearest)


def reaches(cosine: Any, threshold: float) -> Any:
    """Return whether cosines reach a threshold, for one or for an array of them.

    A hair's breadth below it is rounding, not difference. It is compared in the precision of the
    cosines, so that what was written and read again is decided as before.
    """
    return cosine >= np.float32(threshold - 1e-6)


def _hits(
    vectors: Vectors, rows: Rows, seeking: Rows, threshold: float, exhaustive_rows: int
) -> Iterator[tuple[Rows, Rows, Vectors]]:
    """Yield rows, their neighbours and the cosines, block by block."""
    for askers, members, cosine in _blocks(vectors, vectors, rows, seeking, exhaustive_rows):
        cosine[askers[:, None] == members] = -1.0
        one, other = np.nonzero(_nearest(reaches(cosine, threshold), cosine, NEIGHBOURS))
        yield askers[one], members[other], cosine[one, other]


def _nearest(near: Mask, cosine: Vectors, count: int) -> Mask:
    """Return which rows are near, of each asker only the nearest `count`; `near` is changed."""
    crowded = np.flatnonzero(near.sum(1) > count)
    if len(crowded):
        places = np.argpartition(-cosine[crowded], count - 1, axis=1)
        nearest = np.zeros((len(crowded), near.shape[1]), dtype=bool)
        np.put_along_axis(nearest, places[:, :count], True, axis=1)
        near[crowded] &= nearest
    return near


def _blocks(
    vectors: Vectors, asking: Vectors, rows: Rows, askers: Rows, exhaustive_rows: int
) -> Iterator[tuple[Rows, Rows, Vectors]]:
    """Yield some of the asking vectors, the rows of a cell, and the cosines of all with all.

    A block has at most `_CHUNK` askers and never more cosines than one of `EXHAUSTIVE_ROWS` rows.
    """
    for seeking, members in _cells(vectors, asking, rows, askers, exhaustive_rows):
        if not len(members):
            continue
        there = vectors[members].T
        size = max(1, min(_CHUNK, _CHUNK * EXHAUSTIVE_ROWS // len(members)))
        for start in range(0, len(seeking), size):
            chunk = seeking[start : start + size]
            yield chunk, members, asking[chunk] @ there


def _cells(
    vectors: Vectors, asking: Vectors, rows: Rows, askers: Rows, exhaustive_rows: int
) -> Iterator[tuple[Rows, Rows]]:
    """Yield for each cell the askers that look into it and the rows that lie in it."""
    few = len(rows) <= exhaustive_rows or len(rows) * len(askers) <= exhaustive_rows**2
    if few:
        yield askers, rows
        return
    # As many cells that finding the nearest costs what comparing inside them does.
    count = int((PROBES * len(rows)) ** 0.5)
    centres = _centres(vectors, rows, count).T
    probes = _probes(asking, askers, centres)
    homes = probes if askers is rows else _probes(vectors, rows, centres)
    lying = _by_cell(homes[:, 0], count)
    for looking, members in zip(_by_cell(probes.ravel(), count), lying, strict=True):
        yield askers[looking // PROBES], rows[members]


def _probes(vectors: Vectors, rows: Rows, centres: Vectors) -> npt.NDArray[np.int32]:
    """Return int32 (rows, `PROBES`): the cells that rows are nearest to, the nearest first."""
    probes = np.empty((len(rows), PROBES), dtype=np.int32)
    for start in range(0, len(rows), _CHUNK):
        cosine = vectors[rows[start : start + _CHUNK]] @ centres
        nearest = np.argpartition(-cosine, PROBES - 1, axis=1)[:, :PROBES]
        best = np.take_along_axis(cosine, nearest, axis=1).argsort(axis=1)[:, ::-1]
        probes[start : start + _CHUNK] = np.take_along_axis(nearest, best, axis=1)
    return probes


def _by_cell(cells: npt.NDArray[np.int32], count: int) -> list[Rows]:
    """Return for each cell the places where it is named, in rising order."""
    order = np.argsort(cells, kind="stable")
    return np.split(order, np.searchsorted(cells[order], np.arange(1, count)))


def _centres(vectors: Vectors, rows: Rows, count: int) -> Vectors:
    """Return float32 (count, d): unit centres of cells, learned from evenly spaced rows."""
    from sklearn.cluster import MiniBatchKMeans

    places = np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE * count)).astype(np.int64)
    means = MiniBatchKMeans(
        count, init="random", n_init=1, max_iter=5, batch_size=4096, random_state=0
    )
    centres = means.fit(vectors[rows[places]]).cluster_centers_.astype(np.float32)
    lengths = np.linalg.norm(centres, axis=1, keepdims=True)
    return np.asarray(centres / np.maximum(lengths, 1e-12), dtype=np.float32)
