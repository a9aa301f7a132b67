"""The student against its teacher: not inferior by a margin, and how much of the gap is closed."""

from collections.abc import Callable
from math import log1p
from typing import Any

from kd_kedro.metrics.comparison.decide import conclude
from kd_kedro.metrics.comparison.paired_scores import PairedScores
from kd_kedro.metrics.scores.metric import Metric
from kd_kedro.metrics.scores.metric_table import OTHER_TOKENS
from kd_kedro.metrics.statistics.significance import Estimate

_WIDEST = 1024.0  # shares of the gap beyond this have no end worth showing
_HALVINGS = 40


def non_inferiority(
    metric: Metric, scores: PairedScores, *, margin: float, level: float, refusal: str
) -> dict[str, Any]:
    """Return whether the student keeps all but `margin` of the teacher's score, or is behind it.

    Where more is better: student - (1 - margin) teacher must lie above zero; where less is:
    student - (1 + margin) teacher below it. For a metric on a log scale the ratio may be
    1 + margin. One-sided, paired over families and seeds. A student that does not keep it is worse
    where the two-sided interval of student - teacher excludes zero.

    Args:
        metric: What is compared.
        scores: Its paired scores.
        margin: Share of the teacher's score that may be lost.
        level: Chance of calling an inferior student non-inferior, 0.05 for 95 %, and of calling one
            that differs in nothing other than its teacher.
        refusal: Why the metric is not judged at all; '' where it is.

    Returns:
        `conclusion` (non-inferior, worse, not shown, not applicable), `estimate` (distance to the
        limit, which is at zero), `low` or `high` (its one-sided bound), `ratio` (student /
        teacher), `margin`, `reason`.
    """
    side = "low" if metric.higher_is_better else "high"
    fixed = {"margin": margin, side: None, "estimate": None, "ratio": None}
    if reason := refusal or _no_teacher(metric, scores):
        return {**fixed, "conclusion": "not applicable", "reason": reason}
    sign = -1.0 if metric.higher_is_better else 1.0
    allowed = 1.0 if metric.log_scale else 1.0 + sign * margin
    slack = scores.estimate({"student": 1.0, "teacher": -allowed})
    shift = -log1p(sign * margin) if metric.log_scale else 0.0
    low, high = slack.interval(2 * level)
    bound = (low if metric.higher_is_better else high) + shift
    kept = bound > 0 if metric.higher_is_better else bound < 0
    behind = "" if kept else _behind(metric, scores, level)
    student, teacher = (
        metric.displayed(scores.estimate({name: 1.0}).value) for name in ("student", "teacher")
    )
    return {
        **fixed,
        "estimate": slack.value + shift,
        side: bound,
        "ratio": student / teacher if student is not None and teacher else None,
        "conclusion": "non-inferior" if kept else "worse" if behind else "not shown",
        "reason": (
            f"the one-sided {100 * (1 - level):g} % bound {'clears' if kept else 'does not clear'} "
            f"a margin of {100 * margin:g} % of the teacher's"
            + (f"; the interval of student - teacher {behind}" if behind else "")
        ),
    }


def gap_recovered(
    metric: Metric, scores: PairedScores, *, level: float, refusal: str
) -> dict[str, Any]:
    """Return the share of the way from baseline to teacher that the student has gone.

    The interval holds every share r for which student - (1 - r) baseline - r teacher may be zero
    (Fieller 1954, "Some problems in interval estimation", with the paired bootstrap over families
    and seeds in place of the normal). It has ends only where the teacher is ahead of the baseline.
    At the level of the interval of student - baseline, it excludes 0 exactly where that does.
    """
    nothing: dict[str, Any] = {"estimate": None, "low": None, "high": None}
    if reason := refusal or _incomparable(metric, scores):
        return {**nothing, "reason": reason}
    sign = 1.0 if metric.higher_is_better else -1.0
    ahead = scores.estimate({"teacher": sign, "baseline": -sign})
    if ahead.interval(level)[0] <= 0:
        return {**nothing, "reason": "the teacher is not shown to be ahead of the baseline"}
    gained = scores.estimate({"student": sign, "baseline": -sign})

    def remaining(share: float) -> Estimate:
        return scores.estimate(
            {"student": sign, "baseline": -sign * (1 - share), "teacher": -sign * share}
        )

    low = _crossing(lambda share: remaining(share).interval(level)[0])
    high = _crossing(lambda share: remaining(share).interval(level)[1])
    scale = ", of logarithms" if metric.log_scale else ""
    return {
        "estimate": gained.value / ahead.value,
        "low": low,
        "high": high,
        "reason": f"(student - baseline) / (teacher - baseline){scale}; {100 * (1 - level):.4g} %",
    }


def _behind(metric: Metric, scores: PairedScores, level: float) -> str:
    """Return on which side of zero student - teacher lies where it is the worse one, '' else."""
    low, high = scores.estimate({"student": 1.0, "teacher": -1.0}).interval(level)
    conclusion, reason = conclude(low, high, metric.higher_is_better)
    return reason.removeprefix("the interval ") if conclusion == "worse" else ""


def _no_teacher(metric: Metric, scores: PairedScores) -> str:
    if reason := _incomparable(metric, scores):
        return reason
    if not metric.log_scale and scores.estimate({"teacher": 1.0}).value <= 0:
        return "the teacher's score is zero: there is nothing to keep a share of"
    return ""


def _incomparable(metric: Metric, scores: PairedScores) -> str:
    """Return why student and teacher have no difference in a metric, '' where they have one."""
    if not metric.against_teacher:
        return f"{metric.name} is measured from the teacher, which cannot be compared with itself"
    if metric.per_token and not scores.same_tokens("teacher", "student"):
        return OTHER_TOKENS
    return ""


def _crossing(falling: Callable[[float], float]) -> float | None:
    """Return where a falling function crosses zero, None where it does not within reach."""
    low, high = -1.0, 2.0
    while falling(low) <= 0:
        low *= 2
        if low < -_WIDEST:
            return None
    while falling(high) > 0:
        high *= 2
        if high > _WIDEST:
            return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2
