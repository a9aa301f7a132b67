"""Kernel ridge regression on embeddings of question and answer, cross-fitted along the sheet.

The mean of a Gaussian process (Rasmussen and Williams 2006, chapter 2): solved exactly, no
iterations, no seed. Trained on verdicts of 0 and 1 it estimates the share of rejected rows.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

Vectors = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]
Verdicts = npt.NDArray[np.int8]
Folds = npt.NDArray[np.int64]

REJECTED, ACCEPTED, UNREVIEWED = 1, 0, -1
_CHUNK = 2000  # rows whose kernel is in memory at once
_NEAREST = 5  # accepted rows that say how new a row is


def fold_of_blocks(verdicts: Verdicts, folds: int, block_rows: int) -> Folds:
    """Return the fold of each row: contiguous blocks of reviewed rows in turn, -1 if unreviewed.

    Neighbouring rows of a sheet come from one source, so a row's neighbours share its fold. Blocks
    are smaller where there are too few rows for two blocks a fold.
    """
    reviewed = np.flatnonzero(verdicts != UNREVIEWED)
    block = max(1, min(block_rows, len(reviewed) // (2 * folds)))
    fold = np.full(len(verdicts), -1)
    fold[reviewed] = (np.arange(len(reviewed)) // block) % folds
    return fold


@dataclass(frozen=True)
class OutOfFold:
    """How rows look to one who does not know the verdicts of a fold.

    What stands at [f, i] comes from reviewed rows that are neither of fold f nor of row i's own
    fold; the last line hides no fold but the row's own.

    Attributes:
        estimate: float64 (folds + 1, n), of the share of rejected rows.
        novelty: float64 (folds + 1, n), 1 less the mean kernel to the nearest accepted rows.
    """

    estimate: Scores
    novelty: Scores


def out_of_fold_scores(
    pairs: Vectors,
    verdicts: Verdicts,
    fold: Folds,
    *,
    folds: int,
    width: float,
    ridge: float,
    max_training_rows: int,
) -> OutOfFold:
    """Score all rows as they look to one who does not know the verdicts of a fold.

    Args:
        pairs: float32 (n, 2, d), unit embeddings of question and answer.
        verdicts: int8 (n,), 1 rejected, 0 accepted, -1 not reviewed.
        fold: int64 (n,), from `fold_of_blocks`.
        folds: Number of folds.
        width: The Gaussian kernel's: exp(-width · distance²), the mean of question and answer.
        ridge: Added to the kernel's diagonal.
        max_training_rows: Reviewed rows to learn from, evenly spaced where there are more.
    """
    reviewed = np.flatnonzero(verdicts != UNREVIEWED)
    taught = reviewed[_evenly_spaced(len(reviewed), max_training_rows)]
    hidden = [(), *((f,) for f in range(folds)), *combinations(range(folds), 2)]
    place = {frozenset(some): index for index, some in enumerate(hidden)}
    weights, base = _solve_without(
        _kernel(pairs[taught], pairs[taught], width), verdicts[taught], fold[taught], hidden, ridge
    )
    accepted = [
        np.flatnonzero((verdicts[taught] == ACCEPTED) & (fold[taught] == own))
        for own in range(folds)
    ]
    by_model = np.empty((len(pairs), len(hidden)), dtype=np.float32)
    near = np.empty((len(pairs), folds, _NEAREST), dtype=np.float32)
    for start in range(0, len(pairs), _CHUNK):
        part = slice(start, start + _CHUNK)
        kernel = _kernel(pairs[part], pairs[taught], width)
        by_model[part] = kernel @ weights + base
        for own, columns in enumerate(accepted):
            near[part, own] = _largest(kernel[:, columns])
    estimate, novelty = np.empty((2, folds + 1, len(pairs)))
    for unseen in range(folds + 1):
        for own in range(-1, folds):
            rows = np.flatnonzero(fold == own)
            some = frozenset({unseen, own} - {-1, folds})
            others = np.array([other for other in range(folds) if other not in some])
            estimate[unseen, rows] = by_model[rows, place[some]]
            nearest = _largest(near[rows][:, others].reshape(len(rows), len(others) * _NEAREST))
            novelty[unseen, rows] = 1 - nearest.mean(axis=1)
    return OutOfFold(estimate, novelty)


def _solve_without(
    kernel: Vectors,
    verdicts: Verdicts,
    fold: Folds,
    hidden: list[tuple[int, ...]],
    ridge: float,
) -> tuple[Vectors, Vectors]:
    """Return weights (m, models), 0 for rows a model does not see, and their bases (models,)."""
    from scipy.linalg import cho_factor, cho_solve

    target = (verdicts == REJECTED).astype(np.float32)
    weights = np.zeros((len(kernel), len(hidden)), dtype=np.float32)
    base = np.zeros(len(hidden), dtype=np.float32)
    bar = tqdm(hidden, desc="learning from the verdicts", disable=None)
    for index, some in enumerate(bar):
        seen = np.flatnonzero(~np.isin(fold, some))
        if len(seen) == 0:
            continue
        part = kernel[np.ix_(seen, seen)]
        part[np.diag_indices_from(part)] += np.float32(ridge)
        base[index] = target[seen].mean()
        factor = cho_factor(part, lower=True, overwrite_a=True, check_finite=False)
        weights[seen, index] = cho_solve(factor, target[seen] - base[index], check_finite=False)
    return weights, base


def _largest(kernel: Vectors) -> Vectors:
    """Return the largest values of each line, (n, 5); 0 where there are fewer."""
    if kernel.shape[1] < _NEAREST:
        kernel = np.pad(kernel, ((0, 0), (0, _NEAREST - kernel.shape[1])))
    largest: Vectors = np.partition(kernel, -_NEAREST, axis=1)[:, -_NEAREST:]
    return largest


def _evenly_spaced(rows: int, most: int) -> Folds:
    if rows <= most:
        return np.arange(rows)
    return np.linspace(0, rows - 1, most).astype(np.int64)


def _kernel(left: Vectors, right: Vectors, width: float) -> Vectors:
    """Return the mean of the Gaussian kernels of questions and of answers, (n, m)."""
    total = np.zeros((len(left), len(right)), dtype=np.float32)
    for part in range(left.shape[1]):
        # Unit vectors: |x - y|² = 2 - 2 x·y.
        similarity = left[:, part] @ right[:, part].T
        total += np.exp(np.float32(2 * width) * (similarity - 1))
    return total / np.float32(left.shape[1])
