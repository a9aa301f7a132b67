"""SOAP, the semantic outlier filter: which rows do not belong to the sheet's domain.

Three modes behind one function. `reviewer` learns from reviewers' verdicts, `cold_start` needs
none and measures the distance to the domain's centre, `hdbscan` is the earlier system's method,
kept to compare with. The reviewer model is kernel ridge regression on the embeddings of question
and answer (a Gaussian process's mean): solved exactly, no iterations, no seed.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

Mode = Literal["auto", "reviewer", "cold_start", "hdbscan"]
Vectors = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Settings:
    """The knobs of the filter; `pipelines/filtering/params.py` describes each."""

    mode: Mode = "auto"
    min_reviewed: int = 50
    block_rows: int = 200
    folds: int = 5
    kernel_width: float = 1.0
    ridge: float = 0.3
    max_training_rows: int = 8000
    trim: float = 0.8
    spread: float = 2.5
    min_cluster_size: int = 6
    outlier_threshold: float = 0.3


@dataclass(frozen=True)
class Reviewed:
    """Rows a person has judged, in the order of the sheet.

    Attributes:
        pairs: float32 (m, 2, d), unit embeddings of question and answer.
        rejected: bool (m,), the verdict.
    """

    pairs: Vectors
    rejected: Mask


@dataclass(frozen=True)
class Judgement:
    """What the filter thinks of each row; an outlier is one with score above its threshold.

    Attributes:
        mode: The mode that was used.
        scores: float64 (n,), higher is farther from the domain.
        thresholds: float64 (n,), the score above which a row does not belong.
    """

    mode: str
    scores: Scores
    thresholds: Scores

    @property
    def outlying(self) -> Mask:
        """bool (n,): rows that do not belong."""
        return self.scores > self.thresholds


def judge_relevance(
    pairs: Vectors, reviewed: Reviewed, seen: npt.NDArray[np.int64], settings: Settings
) -> Judgement:
    """Score rows by how far they are from what belongs to the sheet.

    Args:
        pairs: float32 (n, 2, d), unit embeddings of the question and answer of each row.
        reviewed: Rows with verdicts.
        seen: int64 (n,), the position of each row among the reviewed, -1 where it is none. Such a
            row gets the score of a model that did not see it.
        settings: Mode and knobs; `auto` is `reviewer` where there are at least `min_reviewed`
            verdicts of each kind, else `cold_start`.

    Returns:
        Scores, thresholds and the mode used.

    Raises:
        ValueError: Mode `reviewer` without verdicts of each kind.
    """
    mode = choose_mode(reviewed.rejected, settings)
    if mode == "reviewer":
        return _judge_as_reviewers(pairs, reviewed, seen, settings)
    if mode == "cold_start":
        scores = centre_distance(pairs, settings.trim)
        threshold = robust_threshold(scores, settings.spread)
    else:
        scores = cluster_outlierness(pairs, settings.min_cluster_size)
        threshold = settings.outlier_threshold
    return Judgement(mode, scores, np.full(len(scores), threshold))


def choose_mode(rejected: Mask, settings: Settings) -> str:
    """Return the mode that `auto` stands for, given the verdicts."""
    kinds = int(rejected.sum()), int((~rejected).sum())
    if settings.mode == "auto":
        return "reviewer" if min(kinds) >= settings.min_reviewed else "cold_start"
    if settings.mode == "reviewer" and min(kinds) < 2:
        raise ValueError(
            f"filtering.soap.mode is reviewer, but the sheet has {kinds[1]} accepted and "
            f"{kinds[0]} rejected rows: it needs two of each; use auto or cold_start"
        )
    return settings.mode


@dataclass(frozen=True)
class CrossFit:
    """Judgement of reviewed rows, each by a model that saw neither it nor its block.

    Attributes:
        scores: float64 (m,).
        thresholds: float64 (m,), each chosen on the rows its model learned from.
    """

    scores: Scores
    thresholds: Scores


def cross_fit(reviewed: Reviewed, settings: Settings) -> CrossFit:
    """Judge reviewed rows by models that did not see them.

    Neighbouring rows of a sheet come from one source, so the folds are made of contiguous blocks.
    The threshold of a fold is the best one for the other folds, scored by models that saw neither
    fold: nothing about the fold itself enters it.

    Args:
        reviewed: m rows in the order of the sheet.
        settings: Folds, block size and model.
    """
    folds = fold_of_blocks(len(reviewed.rejected), settings)
    # All models learn from parts of one kernel matrix.
    taught = _training_rows(len(folds), settings)
    kernel = _kernel(reviewed.pairs, reviewed.pairs[taught], settings.kernel_width)
    target = reviewed.rejected.astype(np.float32)

    def judge_without(left_out: Mask) -> Scores:
        inside = ~left_out[taught]
        rows = taught[inside]
        weights, base = _solve(kernel[np.ix_(rows, inside)], target[rows], settings.ridge)
        judged: Scores = (kernel[np.ix_(left_out, inside)] @ weights).astype(float) + base
        return judged

    scores = np.zeros(len(folds))
    for fold in tqdm(range(settings.folds), desc="judging rows by models that did not see them"):
        scores[folds == fold] = judge_without(folds == fold)
    inner = np.zeros((settings.folds, len(folds)))
    for one, other in tqdm(list(combinations(range(settings.folds), 2)), desc="setting thresholds"):
        left_out = (folds == one) | (folds == other)
        judged = judge_without(left_out)
        inner[other, folds == one] = judged[folds[left_out] == one]
        inner[one, folds == other] = judged[folds[left_out] == other]
    thresholds = np.array(
        [
            best_threshold(inner[fold, folds != fold], reviewed.rejected[folds != fold])
            for fold in range(settings.folds)
        ]
    )
    return CrossFit(scores, thresholds[folds])


def fold_of_blocks(rows: int, settings: Settings) -> npt.NDArray[np.int64]:
    """Return the fold of each row: contiguous blocks in turn, smaller ones in a short sheet."""
    block = max(1, min(settings.block_rows, rows // (2 * settings.folds)))
    return (np.arange(rows) // block) % settings.folds


def best_threshold(scores: Scores, rejected: Mask) -> float:
    """Return the threshold with the highest F1 for rejected rows above it.

    It lies midway between two scores; infinity where nothing is rejected.
    """
    if not rejected.any():
        return float("inf")
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(rejected[order])
    f1 = 2 * found / (np.arange(1, len(scores) + 1) + rejected.sum())
    # Rows of equal score cannot be told apart: cut only where the score falls.
    ranked = scores[order]
    f1[:-1][ranked[:-1] == ranked[1:]] = -1
    last = int(f1.argmax())
    below = ranked[last + 1] if last + 1 < len(ranked) else ranked[last] - 1
    return float((ranked[last] + below) / 2)


def centre_distance(pairs: Vectors, trim: float, rounds: int = 5) -> Scores:
    """Return 1 - cosine to the domain's centre, the mean of the nearest `trim` share of rows.

    Args:
        pairs: float32 (n, 2, d).
        trim: Share of rows that make the centre, so that outliers do not pull at it.
        rounds: How often centre and nearest rows are found anew.

    Returns:
        float64 (n,).
    """
    rows = pairs.reshape(len(pairs), -1) / np.float32(np.sqrt(2))
    centre = rows.mean(axis=0)
    for _ in range(rounds):
        distance = 1 - rows @ (centre / max(float(np.linalg.norm(centre)), 1e-9))
        centre = rows[distance <= np.quantile(distance, trim)].mean(axis=0)
    nearness: Scores = (rows @ (centre / max(float(np.linalg.norm(centre)), 1e-9))).astype(float)
    return 1 - nearness


def robust_threshold(scores: Scores, spread: float) -> float:
    """Return the mode of the scores plus `spread` times the root mean square of the lower side.

    Only the side towards the centre tells how the domain scatters: outliers lie on the other, so
    the threshold stays where it is however many there are.
    """
    if np.ptp(scores) < 1e-9:
        return float(scores.max())
    centre = _mode(scores)
    below = centre - scores[scores <= centre]
    return centre + spread * float(np.sqrt(np.mean(below**2)))


def cluster_outlierness(pairs: Vectors, min_cluster_size: int) -> Scores:
    """Return HDBSCAN's outlier score (GLOSH) of each row, as the earlier system used it.

    Campello et al. 2015, "Hierarchical density estimates for data clustering, visualization, and
    outlier detection". Dense clumps of off-topic rows are clusters to it.
    """
    from hdbscan import HDBSCAN

    rows = pairs.reshape(len(pairs), -1).astype(np.float64)
    if len(rows) <= min_cluster_size:
        return np.zeros(len(rows))
    scores: Scores = HDBSCAN(min_cluster_size=min_cluster_size).fit(rows).outlier_scores_
    return np.nan_to_num(scores)


def _judge_as_reviewers(
    pairs: Vectors, reviewed: Reviewed, seen: npt.NDArray[np.int64], settings: Settings
) -> Judgement:
    fair = cross_fit(reviewed, settings)
    scores = np.zeros(len(pairs))
    thresholds = np.full(len(pairs), best_threshold(fair.scores, reviewed.rejected))
    known = seen >= 0
    scores[known], thresholds[known] = fair.scores[seen[known]], fair.thresholds[seen[known]]
    if not known.all():
        scores[~known] = _learn(reviewed, settings).score(pairs[~known])
    return Judgement("reviewer", scores, thresholds)


@dataclass(frozen=True)
class _Model:
    pairs: Vectors
    weights: npt.NDArray[np.float32]
    base: float
    kernel_width: float

    def score(self, pairs: Vectors) -> Scores:
        scores: Scores = np.full(len(pairs), self.base)
        for start in range(0, len(pairs), 2000):
            rows = pairs[start : start + 2000]
            kernel = _kernel(rows, self.pairs, self.kernel_width)
            scores[start : start + 2000] += kernel @ self.weights
        return scores


def _learn(reviewed: Reviewed, settings: Settings) -> _Model:
    taught = _training_rows(len(reviewed.rejected), settings)
    pairs, target = reviewed.pairs[taught], reviewed.rejected[taught].astype(np.float32)
    weights, base = _solve(_kernel(pairs, pairs, settings.kernel_width), target, settings.ridge)
    return _Model(pairs, weights, base, settings.kernel_width)


def _training_rows(rows: int, settings: Settings) -> npt.NDArray[np.int64]:
    """Return the rows to learn from: all, or as many as allowed, evenly spaced."""
    if rows <= settings.max_training_rows:
        return np.arange(rows)
    return np.linspace(0, rows - 1, settings.max_training_rows).astype(np.int64)


def _solve(
    kernel: Vectors, target: npt.NDArray[np.float32], ridge: float
) -> tuple[npt.NDArray[np.float32], float]:
    """Solve (K + ridge · I) w = y - mean(y), overwriting K; return w and mean(y)."""
    from scipy.linalg import cho_factor, cho_solve

    kernel[np.diag_indices_from(kernel)] += np.float32(ridge)
    base = float(target.mean())
    factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, target - np.float32(base), check_finite=False), base


def _kernel(left: Vectors, right: Vectors, width: float) -> Vectors:
    """Return the mean of the Gaussian kernels of questions and of answers, (n, m)."""
    total = np.zeros((len(left), len(right)), dtype=np.float32)
    for part in range(left.shape[1]):
        # Unit vectors: |x - y|² = 2 - 2 x·y.
        similarity = left[:, part] @ right[:, part].T
        total += np.exp(np.float32(2 * width) * (similarity - 1))
    return total / np.float32(left.shape[1])


def _mode(scores: Scores) -> float:
    from scipy.stats import gaussian_kde

    grid = np.linspace(scores.min(), scores.max(), 400)
    return float(grid[gaussian_kde(scores, 0.35)(grid).argmax()])
