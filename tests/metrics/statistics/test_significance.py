"""Intervals that cover what they claim, and never disagree with the test they stand for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_kedro.metrics.scores.exact_match import ratio
from kd_kedro.metrics.statistics.significance import (
    Estimate,
    estimate_over_seeds,
    holm_levels,
    resample_families,
)


def test_interval_is_the_order_statistic_of_the_draws() -> None:
    draws = np.arange(1, 1000, dtype=float)  # 999 draws: 5 % leaves 25 on either side
    assert Estimate(500.0, draws).interval(0.05) == (25.0, 975.0)


@given(
    st.lists(st.integers(-3, 3), min_size=199, max_size=199),
    st.sampled_from([0.01, 0.0125, 0.05 / 3, 0.025, 0.05, 0.2]),
)
def test_p_value_and_interval_agree(draws: list[int], level: float) -> None:
    estimate = Estimate(0.0, np.array(draws, dtype=float))
    low, high = estimate.interval(level)
    assert (estimate.p_value <= level + 1e-12) == (low > 0 or high < 0)


def test_too_few_draws_for_the_level_are_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"99 draws are too few.*at least 200"):
        Estimate(0.0, np.zeros(99)).interval(0.01)


def test_resampled_families_have_the_standard_error_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(size=400)
    statistics = np.stack([values, np.ones(400)], axis=-1)[None]
    scores = resample_families(statistics, ratio, draws=4000, seed=1)
    assert scores.std() == pytest.approx(values.std() / 20, rel=0.05)


def test_runs_are_resampled_with_the_same_families() -> None:
    values = np.random.default_rng(0).normal(size=50)
    one = np.stack([values, np.ones(50)], axis=-1)
    other = np.stack([values + 1, np.ones(50)], axis=-1)
    scores = resample_families(np.stack([one, other]), ratio, draws=600, seed=1)
    assert np.allclose(scores[:, 1] - scores[:, 0], 1)


def test_one_seed_covers_families_only() -> None:
    resampled = np.array([[1.0], [2.0], [3.0]])
    assert list(estimate_over_seeds(np.array([2.0]), resampled).draws) == [1, 2, 3]


def test_seeds_share_has_student_t_tails() -> None:
    observed = np.array([-1.0, 0.0, 1.0])  # standard error between seeds 1/sqrt(3)
    resampled = np.tile(observed, (20_000, 1))  # families explain nothing
    low, high = estimate_over_seeds(observed, resampled).interval(0.05)
    assert high == pytest.approx(4.303 / np.sqrt(3), rel=0.05)  # t of 2 degrees at 97.5 %
    assert low == pytest.approx(-high, rel=0.1)


def test_variance_that_families_explain_is_not_counted_twice() -> None:
    """What families do to each seed alone is all there is: it is counted between the seeds."""
    rng = np.random.default_rng(0)
    observed = rng.normal(0, 5, 40)
    resampled = observed + rng.normal(0, 5, (5000, 40))
    draws = estimate_over_seeds(observed, resampled).draws
    assert draws.std() == pytest.approx(5 / np.sqrt(40), rel=0.2)  # not the root of two of it


def test_seeds_that_tie_leave_all_of_the_families_share() -> None:
    """Families that move one seed each: what a tie hides stays in the interval."""
    rng = np.random.default_rng(0)
    resampled = 0.1 + rng.normal(0, 0.05, (4999, 2)) + rng.normal(0, 0.001, (4999, 1))
    low, high = estimate_over_seeds(np.full(2, 0.1), resampled).interval(0.05)
    assert high - low == pytest.approx(2 * 1.96 * 0.05 / np.sqrt(2), rel=0.05)


def test_families_that_move_all_seeds_alike_are_the_percentile_interval() -> None:
    moved = np.random.default_rng(0).gamma(2, 1, 4999)  # skewed, as a corpus score can be
    resampled = 3 + np.tile(moved - moved.mean(), (3, 1)).T
    estimate = estimate_over_seeds(np.full(3, 3.0), resampled)
    expected = np.sort(resampled[:, 0])[[124, 4874]]
    assert estimate.interval(0.05) == pytest.approx(tuple(expected), rel=0.01)


def test_both_parts_weigh_by_their_variances() -> None:
    """Cochran's approximation by hand: families' variance 1, seeds' mean's variance 1/3."""
    moved = np.random.default_rng(0).standard_normal(99_999)
    moved = (moved - moved.mean()) / moved.std()
    observed = np.array([-1.0, 0.0, 1.0])
    low, high = estimate_over_seeds(observed, observed + moved[:, None]).interval(0.05)
    expected = (1.960 + 4.303 / 3) / np.sqrt(1 + 1 / 3)
    assert high == pytest.approx(expected, rel=0.01)
    assert low == pytest.approx(-expected, rel=0.01)


def test_holm_by_hand() -> None:
    levels = holm_levels({"a": 0.01, "b": 0.04, "c": 0.03}, 0.05)
    assert levels["a"] == pytest.approx((0.03, 0.05 / 3))
    assert levels["c"] == pytest.approx((0.06, 0.025))  # 2 × 0.03: the step-down stops here
    assert levels["b"] == pytest.approx((0.06, 0.025))  # and b is shown at the same level


@settings(max_examples=300)
@given(st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=6))
def test_holm_interval_excludes_zero_exactly_where_p_holm_is_small(p_values: list[float]) -> None:
    named = {str(number): p for number, p in enumerate(p_values)}
    for name, (p_holm, level) in holm_levels(named, 0.05).items():
        if abs(p_holm - 0.05) > 1e-7:
            assert (named[name] <= level) == (p_holm <= 0.05)


@pytest.mark.parametrize("seed_spread", [0.0, 1.0, 2.0])
def test_three_seeds_cover_the_truth(seed_spread: float) -> None:
    assert 0.93 <= _coverage(seed_spread, worlds=1000) <= 0.97


def _coverage(seed_spread: float, worlds: int, families: int = 120, seeds: int = 3) -> float:
    """Share of worlds whose interval holds the true difference 0.

    Rows of unequal length; families differ in how much the student gains (sd 0.3) and in luck of
    their own with each seed; seeds differ by `seed_spread` standard errors of the families.
    """
    covered = 0
    for world in range(worlds):
        rng = np.random.default_rng(world)
        tokens = rng.integers(3, 30, families).astype(float)
        gain = rng.normal(0, 0.3, families)
        error = 0.3 * np.sqrt((tokens**2).mean() / families) / tokens.mean()
        statistics = np.empty((2 * seeds, families, 2))
        statistics[:, :, 1] = tokens
        for run in range(2 * seeds):
            student = run >= seeds
            luck = rng.normal(0, seed_spread * error) + gain if student else 0.0
            statistics[run, :, 0] = tokens * (2 + luck + rng.normal(0, 0.15, families))
        observed = ratio(statistics.sum(axis=1))
        resampled = resample_families(statistics, ratio, draws=399, seed=world)
        difference = estimate_over_seeds(
            observed[seeds:] - observed[:seeds],
            resampled[:, seeds:] - resampled[:, :seeds],
        )
        low, high = difference.interval(0.05)
        covered += low <= 0 <= high
    return covered / worlds
