"""The verdict: teacher, baseline student and distilled student on the same held-out rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.metric_table import METRICS, Metric
from kd_kedro.metrics.significance import (
    Estimate,
    Floats,
    estimate_over_seeds,
    holm_levels,
    resample_families,
)

SCHEMA = "kd_kedro.verdict/1"
SYSTEMS = ("teacher", "baseline", "student")
_NOTHING: dict[str, float | None] = {"estimate": None, "low": None, "high": None}


def judge(
    results: pd.DataFrame, *, confidence: float, draws: int, min_families: int, seed: int
) -> dict[str, Any]:
    """Return the verdict on the student against the baseline of the same size, seed and budget.

    Args:
        results: `validation_results` with `RESULT_COLUMNS`, all text: one row per held-out row,
            model and seed; the teacher's seed is ''.
        confidence: Family-wise confidence of the differences, 0.95 for 95 %.
        draws: Number of bootstrap draws.
        min_families: A metric with fewer held-out families to judge on is not applicable.
        seed: Seed of the bootstrap.

    Returns:
        JSON-able dict: schema, seeds, families, and by metric the estimate of each system, the
        paired difference student - baseline with the Holm-adjusted interval that decides the
        conclusion, p_holm, conclusion, reason and signature.

    Raises:
        ValueError: Models or seeds are missing, or the models answered different rows.
    """
    runs = _runs(results)
    seeds = sorted({seed_name for model, seed_name in runs if model == "student"})
    measured = {
        metric.name: _measure(metric, runs, seeds, draws, seed + number)
        for number, metric in enumerate(METRICS)
    }
    refusals = {
        metric.name: reason
        for metric in METRICS
        if (reason := _refusal(metric, measured[metric.name].families, len(seeds), min_families))
    }
    p_values = {
        name: each.difference.p_value for name, each in measured.items() if name not in refusals
    }
    levels = holm_levels(p_values, 1 - confidence)
    return {
        "schema": SCHEMA,
        "seeds": [int(name) if name.isdigit() else name for name in seeds],
        "families": int(results["family_id"].nunique()),
        "metrics": {
            metric.name: _entry(
                metric,
                measured[metric.name],
                levels.get(metric.name),
                1 - confidence,
                refusals.get(metric.name, ""),
            )
            for metric in METRICS
        },
    }


@dataclass(frozen=True)
class _Measured:
    families: int
    systems: dict[str, Estimate]
    difference: Estimate


def _runs(results: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Return each run's rows in one common order, checked to be the same rows."""
    runs = {
        (str(model), str(seed)): rows.sort_values("row_id", ignore_index=True)
        for (model, seed), rows in results.groupby(["model", "seed"], sort=True)
    }
    seeds = {system: {seed for model, seed in runs if model == system} for system in SYSTEMS}
    if seeds["teacher"] != {""} or not seeds["student"] or seeds["student"] != seeds["baseline"]:
        raise ValueError(
            "validation_results must hold one teacher and, for every seed, a baseline and a "
            f"student, but holds {sorted(runs)}: run the distillation pipeline again"
        )
    first = runs["teacher", ""]["row_id"]
    for (model, seed), rows in runs.items():
        if model in SYSTEMS and not rows["row_id"].equals(first):
            raise ValueError(
                f"validation_results: {model} of seed {seed!r} answered other rows than the "
                "teacher: run the evaluation pipeline again"
            )
    return runs


def _measure(
    metric: Metric,
    runs: dict[tuple[str, str], pd.DataFrame],
    seeds: Sequence[str],
    draws: int,
    seed: int,
) -> _Measured:
    names = [("teacher", ""), *(("baseline", s) for s in seeds), *(("student", s) for s in seeds)]
    families, index = np.unique(runs["teacher", ""]["family_id"], return_inverse=True)
    statistics = np.stack(
        [_sum_by_family(metric.statistics(runs[name]), index, len(families)) for name in names]
    )
    # A family without a row that counts (its denominator is 0) says nothing on this metric.
    counted = statistics[0, :, 1] > 0
    statistics = statistics[:, counted]
    if not counted.any():
        nothing = Estimate(0.0, np.zeros(draws))
        return _Measured(0, dict.fromkeys(SYSTEMS, nothing), nothing)
    observed = metric.score(statistics.sum(axis=1))
    resampled = resample_families(statistics, metric.score, draws=draws, seed=seed)
    where = {
        system: [number for number, name in enumerate(names) if name[0] == system]
        for system in SYSTEMS
    }
    systems = {
        system: estimate_over_seeds(observed[own], resampled[:, own], seed=seed)
        for system, own in where.items()
    }
    student, baseline = where["student"], where["baseline"]
    difference = estimate_over_seeds(
        observed[student] - observed[baseline],
        resampled[:, student] - resampled[:, baseline],
        seed=seed,
    )
    return _Measured(int(counted.sum()), systems, difference)


def _refusal(metric: Metric, families: int, seeds: int, min_families: int) -> str:
    if metric.name == "teacher_agreement" and not families:
        return "teacher and student have different tokenizers: their tokens cannot be compared"
    if families < min_families:
        what = "a gradable answer" if metric.name == "exact_match" else "an answer"
        return f"only {families} held-out families have {what}; {min_families} are needed"
    if seeds < 2:
        return "one seed cannot tell the method from the luck of the seed; train at least two"
    return ""


def _entry(
    metric: Metric,
    measured: _Measured,
    holm: tuple[float, float] | None,
    level: float,
    refusal: str,
) -> dict[str, Any]:
    systems = {
        system: _shown(estimate, level, metric) if measured.families else dict(_NOTHING)
        for system, estimate in measured.systems.items()
    }
    fixed = {"higher_is_better": metric.higher_is_better, "signature": metric.signature()}
    if holm is None:
        return {
            **systems,
            "difference": dict(_NOTHING),
            "p_holm": None,
            "conclusion": "not applicable",
            "reason": refusal,
            **fixed,
        }
    p_holm, own_level = holm
    low, high = measured.difference.interval(own_level)
    conclusion, reason = conclude(low, high, metric.higher_is_better)
    return {
        **systems,
        "difference": {"estimate": measured.difference.value, "low": low, "high": high},
        "p_holm": p_holm,
        "conclusion": conclusion,
        "reason": f"{reason} ({100 * (1 - own_level):.4g} % by Holm, {measured.families} families)",
        **fixed,
    }


def conclude(low: float, high: float, higher_is_better: bool) -> tuple[str, str]:
    """Return the conclusion that an interval of student - baseline allows, and why."""
    if low > 0:
        return ("better" if higher_is_better else "worse"), "the interval lies above zero"
    if high < 0:
        return ("worse" if higher_is_better else "better"), "the interval lies below zero"
    return "not shown", "the interval holds zero"


def _shown(estimate: Estimate, level: float, metric: Metric) -> dict[str, float | None]:
    low, high = estimate.interval(level)
    values = {"estimate": estimate.value, "low": low, "high": high}
    floor, ceiling = metric.bounds
    shown = {key: min(ceiling, max(floor, metric.shown(value))) for key, value in values.items()}
    return {key: value if np.isfinite(value) else None for key, value in shown.items()}


def _sum_by_family(statistics: Floats, index: np.ndarray[Any, Any], families: int) -> Floats:
    sums = np.zeros((families, statistics.shape[1]))
    np.add.at(sums, index, statistics)
    return sums
