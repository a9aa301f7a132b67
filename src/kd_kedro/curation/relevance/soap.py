"""SOAP, the semantic outlier filter: which rows do not belong to the sheet's domain.

Three modes behind one function. `reviewer` learns from reviewers' verdicts (`kernel_ridge.py`),
`cold_start` needs none and measures the distance to the domain's centre, `hdbscan` is the earlier
system's method, kept to compare with (`domain_distance.py`). The first two abstain where verdicts
or sheet do not show clearly what is off topic (`abstention.py`), and look at the scores of
neighbouring rows where that tells something (`sheet_order.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from kd_kedro.curation.relevance.abstention import reason_to_abstain, reason_to_distrust
from kd_kedro.curation.relevance.domain_distance import (
    centre_distance,
    clipped_threshold,
    cluster_outlierness,
)
from kd_kedro.curation.relevance.kernel_ridge import (
    ACCEPTED,
    REJECTED,
    UNREVIEWED,
    Folds,
    OutOfFold,
    Scores,
    Vectors,
    Verdicts,
    fold_of_blocks,
    out_of_fold_scores,
)
from kd_kedro.curation.relevance.relevance_config import SoapConfig
from kd_kedro.curation.relevance.sheet_order import Mask, Sheets, stand_together, with_neighbours
from kd_kedro.curation.relevance.stacking import stack


@dataclass(frozen=True)
class Judgement:
    """What the filter thinks of each row; an outlier is one with score above its threshold.

    Attributes:
        mode: The mode that was used.
        ordered: Whether neighbours' scores were used.
        scores: float64 (n,), higher is farther from the domain; a probability in mode `reviewer`.
        thresholds: float64 (n,), the score above which a row does not belong.
        abstained: Why no score removes a row although rows are far from the domain; '' where
            they decide. The threshold of what it would have removed is then the highest score;
            reviewed rows keep theirs where their verdict wins.
    """

    mode: str
    ordered: bool
    scores: Scores
    thresholds: Scores
    abstained: str = ""

    @property
    def outlying(self) -> Mask:
        """bool (n,): rows that do not belong."""
        return self.scores > self.thresholds

    @property
    def margins(self) -> Scores:
        """float64 (n,): how far each score is above its threshold."""
        return self.scores - self.thresholds


def judge_relevance(
    pairs: Vectors, verdicts: Verdicts, settings: SoapConfig, sheets: Sheets | None = None
) -> Judgement:
    """Score rows by how far they are from what belongs to the sheet.

    Args:
        pairs: float32 (n, 2, d), unit embeddings of the question and answer of each row, in the
            order of the sheet.
        verdicts: int8 (n,), 1 rejected, 0 accepted, -1 not reviewed. A reviewed row gets the score
            of models that saw neither its verdict nor those of its fold.
        settings: Mode and knobs; `auto` is `reviewer` where there are at least `min_reviewed`
            verdicts of each kind, else `cold_start`.
        sheets: int64 (n,), contiguous numbers of the sheets the rows come from; None is one sheet.

    Returns:
        Scores, thresholds and the mode used.

    Raises:
        ValueError: Mode `reviewer` without verdicts of each kind.
    """
    sheets = np.zeros(len(pairs), dtype=np.int64) if sheets is None else sheets
    mode = choose_mode(verdicts, settings)
    if mode == "hdbscan":
        scores = cluster_outlierness(pairs, settings.min_cluster_size)
        return Judgement(mode, False, scores, np.full(len(scores), settings.outlier_threshold))
    if mode == "none":
        return Judgement(mode, False, np.zeros(len(pairs)), np.ones(len(pairs)))
    distance = centre_distance(pairs, settings.trim)
    if mode == "cold_start":
        judge = partial(_judge_by_distance, distance, settings)
    else:
        fold = fold_of_blocks(verdicts, settings.folds, settings.block_rows)
        out_of_fold = out_of_fold_scores(
            pairs,
            verdicts,
            fold,
            folds=settings.folds,
            width=settings.kernel_width,
            ridge=settings.ridge,
            max_training_rows=settings.max_training_rows,
        )
        judge = partial(_judge_as_reviewers, distance, out_of_fold, fold, verdicts, settings)
    judgement = judge(None)
    if settings.order == "always" or (
        settings.order == "auto"
        and stand_together(judgement.outlying, sheets) >= settings.min_autocorrelation
    ):
        judgement = judge(sheets)
    if mode == "cold_start":
        reason = reason_to_abstain(pairs, judgement.outlying, settings)
    else:
        reason = reason_to_distrust(verdicts, judgement.outlying)
    if not reason:
        return judgement
    kept = (verdicts != UNREVIEWED) & (mode == "reviewer") & settings.verdict_wins
    thresholds = np.where(kept, judgement.thresholds, judgement.scores.max())
    return replace(judgement, thresholds=thresholds, abstained=reason)


def choose_mode(verdicts: Verdicts, settings: SoapConfig) -> str:
    """Return the mode that `auto` stands for, given the verdicts."""
    kinds = int((verdicts == REJECTED).sum()), int((verdicts == ACCEPTED).sum())
    if settings.mode == "auto":
        return "reviewer" if min(kinds) >= settings.min_reviewed else "cold_start"
    if settings.mode == "reviewer" and min(kinds) < 2:
        raise ValueError(
            f"filtering.soap.mode is reviewer, but the sheet has {kinds[1]} accepted and "
            f"{kinds[0]} rejected rows: it needs two of each; use auto or cold_start"
        )
    return settings.mode


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


def _judge_by_distance(distance: Scores, settings: SoapConfig, sheets: Sheets | None) -> Judgement:
    scores = distance
    if sheets is not None:
        views = with_neighbours(distance, sheets, settings.neighbour_rows)
        scores = views @ _shares(views.shape[1])
    threshold = clipped_threshold(scores, settings.spread)
    return Judgement("cold_start", sheets is not None, scores, np.full(len(scores), threshold))


def _judge_as_reviewers(
    distance: Scores,
    out_of_fold: OutOfFold,
    fold: Folds,
    verdicts: Verdicts,
    settings: SoapConfig,
    sheets: Sheets | None,
) -> Judgement:
    """Judge each fold, and the unreviewed rows last, by what the reviewed rows outside it tell.

    Three scores are stacked: the kernel ridge estimate, the distance to the domain, which helps
    where verdicts are few, and how new a row is beside the accepted ones.
    """
    rejected = verdicts == REJECTED
    scores, thresholds = np.zeros(len(verdicts)), np.zeros(len(verdicts))
    for hidden, (estimate, novelty) in enumerate(
        zip(out_of_fold.estimate, out_of_fold.novelty, strict=True)
    ):
        judged = fold == (hidden if hidden < settings.folds else -1)
        taught = (fold >= 0) & ~judged
        if not judged.any():
            continue
        probability = estimate
        if rejected[taught].any() and not rejected[taught].all():
            views = _views(
                [_log_odds(estimate), _standard(distance), _standard(novelty)], settings, sheets
            )
            prior = np.tile(_shares(views.shape[1] // 3), 3)
            probability = stack(views, rejected, taught, prior, settings.prior_strength)
        scores[judged] = probability[judged]
        thresholds[judged] = best_threshold(probability[taught], rejected[taught])
    return Judgement("reviewer", sheets is not None, scores, thresholds)


def _views(scores: Sequence[Scores], settings: SoapConfig, sheets: Sheets | None) -> Scores:
    """Return scores of the row and, where order counts, of its neighbourhoods, (n, k)."""
    if sheets is None:
        return np.stack(scores, axis=1)
    return np.hstack([with_neighbours(score, sheets, settings.neighbour_rows) for score in scores])


def _log_odds(share: Scores) -> Scores:
    odds = np.clip(share, 0.02, 0.98)  # what lies beyond is sure enough
    result: Scores = np.log(odds / (1 - odds))
    return result


def _standard(scores: Scores) -> Scores:
    return (scores - np.median(scores)) / max(float(np.std(scores)), 1e-9)


def _shares(views: int) -> Scores:
    """Return what a row and its neighbourhoods count before any verdict.

    The row counts half and they the other half, all widths the same: nobody can say how wide the
    sources are.
    """
    return np.array([0.5, *[0.5 / (views - 1)] * (views - 1)]) if views > 1 else np.ones(1)
