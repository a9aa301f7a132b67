"""The student against its teacher, where the answer is known."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from kd_kedro.metrics.comparison.paired_scores import PairedScores
from kd_kedro.metrics.comparison.teacher_gap import gap_recovered, non_inferiority
from kd_kedro.metrics.scores.metric import Metric
from kd_kedro.metrics.scores.metric_table import METRICS

BY_NAME = {metric.name: metric for metric in METRICS}
EXACT, PERPLEXITY = BY_NAME["exact_match"], BY_NAME["perplexity"]


def scores(
    teacher: float, baseline: float, student: float, *, errors: float = 0.02, draws: int = 20_000
) -> PairedScores:
    """One seed's scores whose resamples are independent normal numbers around them."""
    observed = np.array([teacher, baseline, student])
    noise = np.random.default_rng(0).normal(0, errors, (draws, 3))
    models = ("teacher", "baseline", "student")
    return PairedScores(50, models, np.ones((3, 50, 2)), observed, observed + noise, seed=0)


def gap(metric: Metric, paired: PairedScores, refusal: str = "") -> dict[str, Any]:
    return gap_recovered(metric, paired, level=0.05, refusal=refusal)


def kept(metric: Metric, paired: PairedScores, margin: float = 0.05) -> dict[str, Any]:
    return non_inferiority(metric, paired, margin=margin, level=0.05, refusal="")


def test_share_of_the_gap_is_fiellers_interval() -> None:
    teacher, baseline, student, error = 0.8, 0.4, 0.6, 0.02
    said = gap(EXACT, scores(teacher, baseline, student, errors=error))

    def fieller(share: float, sign: float) -> float:
        rest = student - (1 - share) * baseline - share * teacher
        return rest + sign * 1.959964 * error * float(np.sqrt(1 + (1 - share) ** 2 + share**2))

    assert said["estimate"] == pytest.approx(0.5)
    assert said["low"] == pytest.approx(brentq(fieller, -1, 2, args=(-1.0,)), abs=0.005)
    assert said["high"] == pytest.approx(brentq(fieller, -1, 2, args=(1.0,)), abs=0.005)


def test_share_of_the_gap_where_less_is_better() -> None:
    said = gap(PERPLEXITY, scores(1.0, 2.0, 1.25))
    assert said["estimate"] == pytest.approx(0.75)
    assert said["low"] < 0.75 < said["high"]
    assert "of logarithms" in said["reason"]


def test_without_a_lead_of_the_teacher_there_is_no_share() -> None:
    said = gap(EXACT, scores(0.42, 0.4, 0.41))
    assert said["estimate"] is said["low"] is said["high"] is None
    assert said["reason"] == "the teacher is not shown to be ahead of the baseline"


def test_a_refused_metric_says_why() -> None:
    assert gap(EXACT, scores(0.8, 0.4, 0.6), "one seed")["reason"] == "one seed"


def test_agreement_with_the_teacher_has_no_gap_and_no_margin() -> None:
    agreement = BY_NAME["teacher_agreement"]
    assert "measured from the teacher" in gap(agreement, scores(1.0, 0.5, 0.6))["reason"]
    assert kept(agreement, scores(1.0, 0.5, 0.6))["conclusion"] == "not applicable"


@pytest.mark.parametrize(
    ("student", "conclusion"),
    # Behind the teacher by 1.96 standard errors of the difference, 0.0277, it is clearly worse.
    [(0.80, "non-inferior"), (0.774, "not shown"), (0.770, "worse"), (0.7, "worse")],
)
def test_the_student_must_keep_all_but_the_margin(student: float, conclusion: str) -> None:
    said = kept(EXACT, scores(0.8, 0.4, student, errors=0.01))
    assert said["conclusion"] == conclusion
    assert said["estimate"] == pytest.approx(student - 0.95 * 0.8)
    bound = said["estimate"] - 1.6449 * 0.01 * float(np.sqrt(1 + 0.95**2))
    assert said["low"] == pytest.approx(bound, abs=0.001)
    assert (said["low"] > 0) == (conclusion == "non-inferior")


@pytest.mark.parametrize(
    ("times", "conclusion"), [(1.0, "non-inferior"), (1.02, "non-inferior"), (1.06, "worse")]
)
def test_perplexity_may_grow_by_the_margin(times: float, conclusion: str) -> None:
    said = kept(PERPLEXITY, scores(1.0, 2.0, 1.0 + float(np.log(times)), errors=0.005))
    assert said["conclusion"] == conclusion
    assert said["estimate"] == pytest.approx(np.log(times / 1.05))
    assert said["ratio"] == pytest.approx(times)
    assert (said["high"] < 0) == (conclusion == "non-inferior")


def test_a_teacher_of_other_tokens_has_no_perplexity_to_compare() -> None:
    paired, other = scores(1.0, 2.0, 1.0), scores(0.8, 0.4, 0.6)
    for each in (paired, other):
        each.statistics[0, :, 1] = 2.0  # the teacher's tokens of the same answers
    assert kept(PERPLEXITY, paired)["conclusion"] == "not applicable"
    assert "different tokenizers" in gap(PERPLEXITY, paired)["reason"]
    assert gap(EXACT, other)["low"] is not None


def test_a_perplexity_beyond_all_numbers_has_no_ratio() -> None:
    assert kept(PERPLEXITY, scores(1.0, 2.0, 800.0))["ratio"] is None


def test_nothing_can_be_kept_of_a_score_of_zero() -> None:
    assert "score is zero" in kept(EXACT, scores(0.0, 0.1, 0.1))["reason"]
