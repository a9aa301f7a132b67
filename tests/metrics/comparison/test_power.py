"""Power from measured spreads: the spreads are found again, and the rule is the verdict's."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from kd_kedro.metrics.comparison.paired_scores import PairedScores
from kd_kedro.metrics.comparison.power import Spread, measure_spread, power_curves, smallest_shown
from kd_kedro.metrics.comparison.verdict import judge
from kd_kedro.metrics.scores.metric_table import METRICS
from kd_kedro.metrics.statistics.significance import estimate_over_seeds

Maker = Callable[..., pd.DataFrame]
PERPLEXITY = next(metric for metric in METRICS if metric.name == "perplexity")
EXACT = next(metric for metric in METRICS if metric.name == "exact_match")
SPREAD = Spread(family=0.2, main=0.15, interaction=0.2, seed=0.03)


def test_planted_spreads_are_found_again() -> None:
    rng, seeds, families = np.random.default_rng(0), 20, 2000
    gain = rng.normal(0, 0.3, families) + rng.normal(0, 0.2, (seeds, families))
    gain += rng.normal(0, 0.1, (seeds, 1))
    values = np.concatenate([np.zeros((seeds, families)), gain])
    statistics = np.stack([values, np.ones(values.shape)], axis=-1)
    models = ("baseline",) * seeds + ("student",) * seeds
    empty = np.zeros((1, 2 * seeds))
    found = measure_spread(PERPLEXITY, PairedScores(families, models, statistics, empty, empty, 0))
    assert found.main == pytest.approx(0.3, rel=0.05)
    assert found.interaction == pytest.approx(0.2, rel=0.05)
    assert found.seed == pytest.approx(0.1, rel=0.35)  # of 20 seeds
    assert found.family == pytest.approx((0.3**2 + 0.2**2 / 20) ** 0.5, rel=0.05)


@pytest.mark.slow
def test_the_rule_is_that_of_the_verdicts_intervals() -> None:
    """The same worlds, judged by the bootstrap's own code, are "better" as often."""
    families, seeds, level, effect = 100, 3, 0.05, 0.12
    power = _power(effect, families=families, seeds=seeds, level=level)
    rng, better, worlds = np.random.default_rng(1), 0, 600
    for _ in range(worlds):
        main = rng.normal(0, SPREAD.main, families)
        table = effect + main + rng.normal(0, SPREAD.interaction, (seeds, families))
        table += rng.normal(0, SPREAD.seed, (seeds, 1))
        counts = rng.multinomial(families, [1 / families] * families, size=999)
        draws = counts @ table.T / families
        low, _ = estimate_over_seeds(table.mean(axis=1), draws).interval(level)
        better += low > 0
    assert power == pytest.approx(better / worlds, abs=0.05)


def test_without_a_gain_better_is_as_rare_as_the_intervals_coverage_says() -> None:
    assert _power(0.0, families=450, seeds=3, level=0.05) <= 0.035  # 95 % cover 93 to 97 %


@pytest.mark.parametrize(("more", "fewer"), [((450, 3), (50, 3)), ((100, 5), (100, 3))])
def test_more_families_or_seeds_show_more(more: tuple[int, int], fewer: tuple[int, int]) -> None:
    many, few = (
        _power(0.08, families=count, seeds=seeds, level=0.05) for count, seeds in (more, fewer)
    )
    assert many > few


def test_curves_of_a_run(results: Maker) -> None:
    table = results(effect=0.1, seed_spread=0.02)
    said = power_curves(
        table,
        primary=("perplexity", "exact_match"),
        confidence=0.95,
        draws=200,
        min_families=10,
        seed=0,
        simulations=500,
        families=(30, 100),
    )
    json.dumps(said, allow_nan=False)
    assert said["level"] == pytest.approx(0.025)
    assert set(said["metrics"]) == {"perplexity", "exact_match"}
    told = said["metrics"]["perplexity"]
    assert [curve["families"] for curve in told["curves"]] == [30, 60, 100]
    assert told["effect"] == pytest.approx(0.1, abs=0.06)  # a lower perplexity is a gain
    for curve in told["curves"]:
        assert curve["power"] == sorted(curve["power"])
        assert len(curve["power"]) == len(told["effects"])
        at = np.interp(curve["smallest"], told["effects"], curve["power"])
        assert at == pytest.approx(0.8, abs=0.05)


def test_a_metric_that_says_nothing_has_no_curve(results: Maker) -> None:
    table = results(families=40).assign(exact_match="no")
    said = power_curves(
        table,
        primary=("perplexity", "exact_match"),
        confidence=0.95,
        draws=200,
        min_families=10,
        seed=0,
        simulations=50,
    )
    assert set(said["metrics"]) == {"perplexity"}
    assert said["level"] == pytest.approx(0.05)  # the verdict does not adjust for it
    json.dumps(said, allow_nan=False)


def test_what_cannot_be_judged_has_no_curve(results: Maker) -> None:
    options = {"confidence": 0.95, "draws": 200, "min_families": 10, "seed": 0, "simulations": 50}
    said = power_curves(results(gradable=0.0), primary=("exact_match",), **options)
    assert said["metrics"] == {}
    assert power_curves(results(seeds=1), primary=("bleu",), **options)["metrics"] == {}


def test_it_judges_what_the_verdict_judges(results: Maker) -> None:
    # Right in as many families, but not in the same ones: only resamples tell them apart.
    table = results(families=40, gradable=1.0)
    student = table["model"] == "student"
    right = {True: "family000", False: "family001"}
    own = table["family_id"] == student.map(right)
    table["exact_match"] = own.map({True: "yes", False: "no"})
    rules = {"confidence": 0.95, "draws": 200, "min_families": 10}
    primary = ("perplexity", "exact_match")
    for seed in range(5):
        said = power_curves(table, primary=primary, seed=seed, simulations=50, **rules)
        verdict = judge(
            table, primary=primary, seed=seed, margin=0.05, metrics=(PERPLEXITY, EXACT), **rules
        )
        assert verdict["metrics"]["exact_match"]["conclusion"] == "not shown"
        assert set(said["metrics"]) == set(primary)
        assert said["level"] == pytest.approx(0.025)


def _power(effect: float, *, families: int, seeds: int, level: float) -> float:
    worlds = smallest_shown(
        SPREAD, families=families, seeds=seeds, level=level, simulations=4000, seed=0
    )
    return float(np.searchsorted(worlds, effect) / len(worlds))
