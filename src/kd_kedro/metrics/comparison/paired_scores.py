"""Every model's scores on the same held-out families and on the same resamples of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.scores.metric import Metric
from kd_kedro.metrics.statistics.significance import (
    Estimate,
    Floats,
    estimate_over_seeds,
    resample_families,
)

# What scores that are the same may differ by in the last digits.
_NOTHING = 1e-12
SYSTEMS = ("teacher", "baseline", "student")
Runs = Mapping[tuple[str, str], pd.DataFrame]


@dataclass(frozen=True)
class PairedScores:
    """One metric of every run, paired by family and by seed.

    Attributes:
        families: Number of families that count.
        models: Model of each run; a system's runs stand in the order of the seeds.
        statistics: Sums by family, shape (runs, families, columns).
        observed: Score of each run, shape (runs,).
        resampled: Score of each run on each resample of the families, shape (draws, runs).
        seed: Seed of the draws.
    """

    families: int
    models: tuple[str, ...]
    statistics: Floats
    observed: Floats
    resampled: Floats
    seed: int

    def of(self, model: str) -> list[int]:
        """Return the positions of a model's runs."""
        return [number for number, name in enumerate(self.models) if name == model]

    def same_tokens(self, one: str, other: str) -> bool:
        """Tell whether two models cut every family's answers into as many tokens, the second sum.

        Asked of a metric that is a mean over tokens: of other tokens, it is another mean.
        """
        first, second = (self.statistics[self.of(model)[0], :, 1] for model in (one, other))
        return bool(np.array_equal(first, second))

    def told_apart(self, models: Sequence[str]) -> bool:
        """Tell whether any two runs of some models differ, as observed or on any resample."""
        runs = [run for model in models for run in self.of(model)]
        scores = np.vstack([self.observed[runs], self.resampled[:, runs]])
        return not np.allclose(scores, scores[:, :1], rtol=0, atol=_NOTHING)

    def estimate(self, weights: Mapping[str, float]) -> Estimate:
        """Return a weighted sum of models, paired by family and seed; the teacher has one run.

        Args:
            weights: Weight by model, such as student 1 and baseline -1.
        """
        observed: Any = 0.0
        resampled: Any = 0.0
        for model, weight in weights.items():
            own = self.of(model)
            observed = observed + weight * self.observed[own]
            resampled = resampled + weight * self.resampled[:, own]
        return estimate_over_seeds(observed, resampled)


def paired_runs(results: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Return by (model, seed) each run's rows in one common order, teacher first, seeds ascending.

    Args:
        results: `validation_results`.

    Raises:
        ValueError: Models or seeds are missing, or the models answered different rows.
    """
    parts = {
        (str(model), str(seed)): rows.sort_values("row_id", ignore_index=True)
        for (model, seed), rows in results.groupby(["model", "seed"], sort=True)
    }
    runs = {key: parts[key] for key in sorted(parts, key=_order)}
    seeds = {system: {seed for model, seed in runs if model == system} for system in SYSTEMS}
    if seeds["teacher"] != {""} or not seeds["student"] or seeds["student"] != seeds["baseline"]:
        raise ValueError(
            "validation_results must hold one teacher and, for every seed, a baseline and a "
            f"student, but holds {sorted(runs)}: run the distillation pipeline again"
        )
    first = runs["teacher", ""]["row_id"]
    for (model, seed), rows in runs.items():
        if not rows["row_id"].equals(first):
            raise ValueError(
                f"validation_results: {model} of seed {seed!r} answered other rows than the "
                "teacher: run the evaluation pipeline again"
            )
    return runs


def seeds_of(runs: Runs) -> list[str]:
    """Return the seeds of the student in ascending order."""
    return [seed for model, seed in runs if model == "student"]


def pair(metric: Metric, runs: Runs, *, draws: int, seed: int) -> PairedScores:
    """Return a metric's scores of all runs, observed and on resamples of the families.

    Families in which no row counts say nothing on the metric and are left out; all are where a
    judged model has no such metric. A control without it is left out.
    """
    families, index = np.unique(runs["teacher", ""]["family_id"], return_inverse=True)
    sums = {
        key: sum_by_family(metric.statistics(rows), index, len(families))
        for key, rows in runs.items()
    }
    shown = [key for key in runs if key[0] in SYSTEMS or sums[key].any()]
    statistics = np.stack([sums[key] for key in shown])
    judged = all(sums[key].any() for key in runs if key[0] in SYSTEMS)
    statistics = statistics[:, statistics[0].any(axis=-1) & judged]
    return scores_of(metric, statistics, [model for model, _ in shown], draws=draws, seed=seed)


def scores_of(
    metric: Metric, statistics: Floats, models: Sequence[str], *, draws: int, seed: int
) -> PairedScores:
    """Return the scores of runs, observed and on resamples, from sums of the families that count.

    Args:
        metric: The metric.
        statistics: Sums by family, shape (runs, families, columns); there may be no family.
        models: Model of each run.
        draws: Number of resamples.
        seed: Seed of the draws.
    """
    count = statistics.shape[1]
    observed, resampled = np.zeros(len(models)), np.zeros((draws, len(models)))
    if count:
        observed = metric.score(statistics.sum(axis=1))
        resampled = resample_families(statistics, metric.score, draws=draws, seed=seed)
    return PairedScores(count, tuple(models), statistics, observed, resampled, seed)


def why_silent(
    metric: Metric,
    scores: PairedScores,
    rows: pd.DataFrame,
    models: Sequence[str],
    min_families: int,
) -> str:
    """Return why a metric can say nothing of some models on these rows, '' where it can.

    The one rule of the verdict, of the comparison of runs and of the champion: what can say nothing
    is not applicable, and counts in no adjustment.

    Args:
        metric: The metric.
        scores: Its scores of the models.
        rows: One run's answers to the rows.
        models: Who is compared.
        min_families: Fewer families decide nothing.
    """
    if metric.absent and not scores.families:
        return metric.absent
    if reason := metric.silent(rows):
        return reason
    if scores.families < min_families:
        counted = f"only {scores.families} held-out families have {metric.counted}"
        return f"{counted}; {min_families} are needed"
    if not scores.told_apart(models):
        return "the compared models score the same in every seed and on every resample"
    return ""


def why_not_judged(metric: Metric, runs: Runs, scores: PairedScores, min_families: int) -> str:
    """Return why the verdict cannot judge a metric on these rows, '' where it can.

    Args:
        metric: The metric.
        runs: What `paired_runs` returned.
        scores: The metric's scores of them.
        min_families: Fewer families decide nothing.
    """
    reason = why_silent(metric, scores, runs["teacher", ""], SYSTEMS, min_families)
    if not reason and len(seeds_of(runs)) < 2:
        return "one seed cannot tell the method from the luck of the seed; train at least two"
    return reason


def _order(key: tuple[str, str]) -> tuple[Any, ...]:
    model, seed = key
    place: Sequence[str] = (*SYSTEMS, model)
    return (place.index(model), model, len(seed) if seed.isdigit() else 99, seed)


def sum_by_family(statistics: Floats, index: np.ndarray[Any, Any], families: int) -> Floats:
    """Return (families, columns): sums of the rows of each family, numbered by `index`."""
    sums = np.zeros((families, statistics.shape[1]))
    np.add.at(sums, index, statistics)
    return sums
