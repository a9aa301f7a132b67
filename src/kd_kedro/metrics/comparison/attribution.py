"""How much of a student's gain is its start, and how much what the teacher said to it."""

from typing import Any

from kd_kedro.metrics.comparison.decide import conclude
from kd_kedro.metrics.comparison.paired_scores import PairedScores
from kd_kedro.metrics.report.evidence import CUT_UNTAUGHT
from kd_kedro.metrics.scores.metric import Metric

PARTS = {
    "start": {CUT_UNTAUGHT: 1.0, "baseline": -1.0},
    "targets": {"student": 1.0, CUT_UNTAUGHT: -1.0},
}


def attribute(
    metric: Metric, scores: PairedScores, *, level: float, refusal: str
) -> dict[str, dict[str, Any]]:
    """Return the parts of student - baseline, paired over families and seeds.

    `start` + `targets` is the whole difference, so the parts have one scale: that of the metric,
    logarithms where it is on a log scale (of perplexity: loss in nats a token).

    Args:
        metric: What is compared.
        scores: Its paired scores.
        level: Chance of an interval that misses, 0.05 for 95 %.
        refusal: Why the metric is not judged at all; '' where it is.

    Returns:
        By part `difference`, `low`, `high` and `conclusion` (better, worse, not shown); nothing
        where no start was trained untaught for every seed, or the metric is not judged.
    """
    if refusal or len(scores.of(CUT_UNTAUGHT)) != len(scores.of("student")):
        return {}
    parts = {}
    for name, weights in PARTS.items():
        estimate = scores.estimate(weights)
        low, high = estimate.interval(level)
        conclusion, _ = conclude(low, high, metric.higher_is_better)
        parts[name] = {
            "difference": estimate.value,
            "low": low,
            "high": high,
            "conclusion": conclusion,
        }
    return parts
