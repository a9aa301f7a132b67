"""What the interval of a difference decides, adjusted by Holm within each group of metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kd_kedro.metrics.comparison.paired_scores import PairedScores
from kd_kedro.metrics.scores.metric import Metric
from kd_kedro.metrics.statistics.significance import holm_levels

NOTHING: dict[str, float | None] = {"estimate": None, "low": None, "high": None}


@dataclass(frozen=True)
class Decision:
    """A difference of two models in one metric, and what it decides.

    Attributes:
        estimate: The difference, on the metric's own scale (of logarithms for perplexity).
        low: Lower end of its adjusted interval.
        high: Upper end of its adjusted interval.
        p_holm: p-value, adjusted by Holm.
        level: What its interval leaves outside, 0.05 for 95 %.
        conclusion: better, worse or not shown.
        reason: Why, with the interval's confidence and the number of families.
    """

    estimate: float
    low: float
    high: float
    p_holm: float
    level: float
    conclusion: str
    reason: str

    def entry(self) -> dict[str, Any]:
        """Return the decision as JSON products hold it."""
        return {
            "difference": {"estimate": self.estimate, "low": self.low, "high": self.high},
            "p_holm": self.p_holm,
            "conclusion": self.conclusion,
            "reason": self.reason,
        }


def decide_by_holm(
    scores: Mapping[Metric, PairedScores],
    difference: Mapping[str, float],
    *,
    primary: Sequence[str],
    level: float,
) -> dict[str, Decision]:
    """Return by metric what the difference of two models decides.

    The primary metrics are adjusted by Holm among themselves, the other metrics among the others.

    Args:
        scores: Paired scores of every metric that can be judged.
        difference: Weight by model, such as student 1 and baseline -1.
        primary: Names of the metrics of the first group.
        level: Chance of a false finding in each group, 0.05 for 95 %.
    """
    differences = {metric: each.estimate(difference) for metric, each in scores.items()}
    levels: dict[str, tuple[float, float]] = {}
    for deciding in (True, False):
        p_values = {
            metric.name: each.p_value
            for metric, each in differences.items()
            if (metric.name in primary) is deciding
        }
        levels |= holm_levels(p_values, level)
    decisions = {}
    for metric, each in differences.items():
        p_holm, own_level = levels[metric.name]
        low, high = each.interval(own_level)
        conclusion, reason = conclude(low, high, metric.higher_is_better)
        shown = f"{100 * (1 - own_level):.4g} % by Holm, {scores[metric].families} families"
        decisions[metric.name] = Decision(
            each.value, low, high, p_holm, own_level, conclusion, f"{reason} ({shown})"
        )
    return decisions


def conclude(low: float, high: float, higher_is_better: bool) -> tuple[str, str]:
    """Return the conclusion that an interval of student - baseline allows, and why."""
    if low > 0:
        return ("better" if higher_is_better else "worse"), "the interval lies above zero"
    if high < 0:
        return ("worse" if higher_is_better else "better"), "the interval lies below zero"
    return "not shown", "the interval holds zero"
