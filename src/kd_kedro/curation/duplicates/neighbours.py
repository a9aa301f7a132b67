"""Which rows have near vectors? Rows are compared inside cells, so that time grows with the rows.

Few rows are compared all with all. Many are dealt to the cells of a k-means clustering, and each
row is compared with the rows of the cells it is nearest to: an inverted file (Jégou, Douze and
Schmid 2011, "Product quantization for nearest neighbor search", without the quantization, so that
what is found has its exact cosine). The nearer two rows are, the surer they are to meet.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

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
    exhaustive_rows: int = EXHAUSTIVE_ROWS,
) -> list[Pair]:
    """Return the pairs of rows with equal key and cosine of at least a threshold.

    Of a row's neighbours in one cell only the nearest `NEIGHBOURS` are named: rows that all say
    the same hang together by them, and rows that are all alike do not make a pair each with each.

    Args:
        vectors: float32 (n, d), rows of length 1.
        keys: n hashable keys; rows of different keys are never compared, nor those of None.
        threshold: Cosine.
        exhaustive_rows: Rows of one key up to which all are compared with all.

    Returns:
        Pairs sorted by falling similarity, then by position.
    """
    groups: dict[object, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        if key is not None:
            groups[key].append(row)
    found = [
        hits
        for members in groups.values()
        if len(members) > 1
        for hits in _hits(vectors, np.array(members), threshold, exhaustive_rows)
    ]
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


def _hits(
    vectors: Vectors, rows: Rows, threshold: float, exhaustive_rows: int
) -> Iterator[tuple[Rows, Rows, Vectors]]:
    """Yield rows, their neighbours and the cosines, chunk by chunk."""
    for askers, members in _cells(vectors, rows, exhaustive_rows):
        there = vectors[members].T
        for start in range(0, len(askers), _CHUNK):
            chunk = askers[start : start + _CHUNK]
            cosine = vectors[chunk] @ there
            cosine[chunk[:, None] == members] = -1.0
            # A hair's breadth below 1 is rounding, not difference.
            near = cosine >= threshold - 1e-6
            crowded = np.flatnonzero(near.sum(1) > NEIGHBOURS)
            if len(crowded):
                places = np.argpartition(-cosine[crowded], NEIGHBOURS - 1, axis=1)
                nearest = np.zeros((len(crowded), len(members)), dtype=bool)
                np.put_along_axis(nearest, places[:, :NEIGHBOURS], True, axis=1)
                near[crowded] &= nearest
            one, other = np.nonzero(near)
            yield chunk[one], members[other], cosine[one, other]


def _cells(vectors: Vectors, rows: Rows, exhaustive_rows: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield for each cell the rows that look into it and the rows that lie in it."""
    if len(rows) <= exhaustive_rows:
        yield rows, rows
        return
    # As many cells that finding the nearest costs what comparing inside them does.
    count = int((PROBES * len(rows)) ** 0.5)
    centres = _centres(vectors, rows, count).T
    probes = np.empty((len(rows), PROBES), dtype=np.int32)
    for start in range(0, len(rows), _CHUNK):
        cosine = vectors[rows[start : start + _CHUNK]] @ centres
        nearest = np.argpartition(-cosine, PROBES - 1, axis=1)[:, :PROBES]
        best = np.take_along_axis(cosine, nearest, axis=1).argsort(axis=1)[:, ::-1]
        probes[start : start + _CHUNK] = np.take_along_axis(nearest, best, axis=1)
    order = np.argsort(probes.ravel(), kind="stable")
    bounds = np.searchsorted(probes.ravel()[order], np.arange(count + 1))
    for cell in range(count):
        seen, place = np.divmod(order[bounds[cell] : bounds[cell + 1]], PROBES)
        yield rows[seen], rows[seen[place == 0]]


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
