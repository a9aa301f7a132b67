"""What a student's gain is: its start, what the teacher said to it, and the compute of both."""

from typing import Any

from kd_kedro.metrics.comparison.decide import conclude
from kd_kedro.metrics.comparison.paired_scores import PairedScores
from kd_kedro.metrics.report.evidence import CUT_UNTAUGHT, PATIENT
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
    logarithms where it is on a log scale (of perplexity: loss in nats a token). `patient` is
    student - a baseline that was trained with all the compute of the distillation.

    Args:
        metric: What is compared.
        scores: Its paired scores.
        level: Chance of an interval that misses, 0.05 for 95 %.
        refusal: Why the metric is not judged at all; '' where it is.

    Returns:
        By part `difference`, `low`, `high` and `conclusion` (better, worse, not shown), of
        `patient` by account (`teacher_given`, `teacher_counted`); without the parts whose model
        was not trained for every seed, and nothing where the metric is not judged.
    """
    if refusal:
        return {}

    def trained(model: str) -> bool:
        return len(scores.of(model)) == len(scores.of("student"))

    def part(weights: dict[str, float]) -> dict[str, Any]:
        estimate = scores.estimate(weights)
        low, high = estimate.interval(level)
        conclusion, _ = conclude(low, high, metric.higher_is_better)
        return {
            "difference": estimate.value,
            "low": low,
            "high": high,
            "conclusion": conclusion,
        }

    parts = {name: part(weights) for name, weights in PARTS.items() if trained(CUT_UNTAUGHT)}
    patient = {
        f"teacher_{account}": part({"student": 1.0, model: -1.0})
        for account, model in PATIENT.items()
        if trained(model)
    }
    return parts | ({"patient": patient} if patient else {})
