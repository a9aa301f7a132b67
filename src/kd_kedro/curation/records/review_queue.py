"""Which rows are most worth a reviewer's minute, and which of them a check may decide."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


def nearest_threshold(margins: Scores, candidates: Mask, share: float) -> Rows:
    """Return the candidates whose score lies nearest its threshold, the nearest first.

    Args:
        margins: float64 (n,), score less threshold.
        candidates: bool (n,).
        share: Share of the candidates to return, rounded up.
    """
    rows = np.flatnonzero(candidates)
    order = rows[np.argsort(np.abs(margins[rows]), kind="stable")]
    nearest: Rows = order[: int(np.ceil(share * len(rows)))]
    return nearest


def farthest_from_threshold(margins: Scores, candidates: Mask) -> Rows:
    """Return the candidates whose score lies farthest from its threshold, the farthest first."""
    rows = np.flatnonzero(candidates)
    farthest: Rows = rows[np.argsort(-np.abs(margins[rows]), kind="stable")]
    return farthest


def spread_out(rows: Rows, pairs: Vectors, similarity: float = 0.9, most: int = 2000) -> Rows:
    """Return rows in their order, but those like an earlier one after all others.

    Args:
        rows: int64 (k,), the most worthwhile first.
        pairs: float32 (n, 2, d), unit embeddings of question and answer.
        similarity: Mean cosine of question and answer from which rows are alike.
        most: Rows to compare; those behind keep their place.
    """
    first = rows[:most]
    vectors = pairs[first].reshape(len(first), pairs[0].size)
    alike = vectors @ vectors.T / pairs.shape[1] >= similarity
    fresh = np.zeros(len(first), dtype=bool)
    for index in range(len(first)):
        fresh[index] = not (alike[index] & fresh).any()
    return np.concatenate([first[fresh], first[~fresh], rows[most:]])


def verdict_by_question(
    questions: Sequence[str], reviewed: Mask, rejected: Mask
) -> dict[str, bool]:
    """Return whether persons rejected a question, for those they agree on.

    Args:
        questions: n normalised texts.
        reviewed: bool (n,).
        rejected: bool (n,).
    """
    verdicts: dict[str, set[bool]] = {}
    for row in np.flatnonzero(reviewed).tolist():
        verdicts.setdefault(questions[row], set()).add(bool(rejected[row]))
    return {question: found.pop() for question, found in verdicts.items() if len(found) == 1}
