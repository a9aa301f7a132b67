"""How large a gain this run's procedure can show, from the variance measured in this run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.comparison.paired_scores import (
    PairedScores,
    pair,
    paired_runs,
    seeds_of,
    why_not_judged,
)
from kd_kedro.metrics.scores.metric import Metric
from kd_kedro.metrics.scores.metric_table import METRICS
from kd_kedro.metrics.statistics.significance import Floats

SCHEMA = "kd_kedro.power/1"
FAMILIES = (30, 100, 300, 1000)
SEEDS = (2, 3, 5, 10)
WANTED = 0.8
_POINTS = 41


@dataclass(frozen=True)
class Spread:
    """What the paired difference of one run varies by, as standard deviations.

    Attributes:
        family: Deviation of families, the mean over seeds: the "standard deviation" of an effect.
        main: The part of a family's difference that all seeds share.
        interaction: The part of a family's difference that is a seed's own.
        seed: Deviation of seeds, beyond what families explain.
    """

    family: float
    main: float
    interaction: float
    seed: float


def power_curves(
    results: pd.DataFrame,
    *,
    primary: Sequence[str],
    confidence: float,
    draws: int,
    min_families: int,
    seed: int,
    simulations: int = 4000,
    families: Sequence[int] = FAMILIES,
) -> dict[str, Any]:
    """Return how often the verdict would say "better", by size of the gain and of the held-out set.

    A world of the simulation draws seeds, families and their interaction from normal distributions
    with the spreads measured here, and judges them by the rule of the verdict's intervals. The
    level is Holm's first step, that of a metric that is alone in its gain. A metric in which
    student and baseline never differed has no spread and so no curve.

    Args:
        results: `validation_results`.
        primary: Metrics that decide; the others have no curve.
        confidence: Confidence of the differences over all primary metrics, 0.95 for 95 %.
        draws: Bootstrap draws of the verdict, by which it tells whether a metric can be judged.
        min_families: Fewer families than this are not judged.
        seed: Seed of the verdict and of the simulation.
        simulations: Worlds per number of families.
        families: Numbers of families to draw a curve for, beside this run's own.

    Returns:
        JSON-able dict: `schema`, `seeds`, `level`, `simulations`, `wanted`, and in `metrics` by
        name the spreads (`family_sd`, `interaction_sd`, `seed_sd`), `families`, `effect` (the
        gain seen, > 0 in the student's favour; of logarithms for a metric on a log scale),
        `effect_sd` (the same in `family_sd`), `effects` and `effects_sd` (the x axis), `curves`
        (per number of families `power` at each effect, `smallest` effect with the wanted power
        and `smallest_sd`) and `by_seeds` (the smallest effect with more or fewer seeds).
    """
    runs = paired_runs(results)
    seeds = len(seeds_of(runs))
    metrics = {metric.name: metric for metric in METRICS if metric.name in primary}
    paired = {name: pair(metric, runs, draws=draws, seed=seed) for name, metric in metrics.items()}
    judged = {
        name: scores
        for name, scores in paired.items()
        if not why_not_judged(metrics[name], runs, scores, min_families)
    }
    level = (1 - confidence) / max(1, len(judged))
    spreads = {name: measure_spread(metrics[name], scores) for name, scores in judged.items()}
    return {
        "schema": SCHEMA,
        "seeds": seeds,
        "level": level,
        "simulations": simulations,
        "wanted": WANTED,
        "metrics": {
            name: _curves(
                metrics[name], judged[name], spread, seeds, level, simulations, families, seed
            )
            for name, spread in spreads.items()
            if spread.family
        },
    }


def measure_spread(metric: Metric, scores: PairedScores) -> Spread:
    """Return the spreads of student - baseline, from a two-way table of seeds by families.

    A family's share in a corpus score is its jackknife pseudo-value (Tukey 1958).
    """
    own = scores.statistics[[*scores.of("student"), *scores.of("baseline")]]
    totals = own.sum(axis=1)
    count = scores.families
    left_out = metric.score(totals[:, None] - own)
    pseudo = count * metric.score(totals)[:, None] - (count - 1) * left_out
    seeds = len(pseudo) // 2
    values = pseudo[:seeds] - pseudo[seeds:]
    by_family = values.mean(axis=0)
    between_families = float(by_family.var(ddof=1))
    if seeds < 2:
        return Spread(between_families**0.5, between_families**0.5, 0.0, 0.0)
    by_seed = values.mean(axis=1)
    rest = values - by_family - by_seed[:, None] + values.mean()
    interaction = float((rest**2).sum() / ((seeds - 1) * (count - 1)))
    observed = metric.score(totals[:seeds]) - metric.score(totals[seeds:])
    return Spread(
        between_families**0.5,
        max(0.0, between_families - interaction / seeds) ** 0.5,
        interaction**0.5,
        max(0.0, float(observed.var(ddof=1)) - interaction / count) ** 0.5,
    )


def smallest_shown(
    spread: Spread, *, families: int, seeds: int, level: float, simulations: int, seed: int
) -> Floats:
    """Return for each simulated world the smallest true gain that it would show as "better".

    The interval is shifted as a whole by the gain, so the chance of "better" at a gain is the
    share of worlds whose smallest one lies below it.

    Returns:
        Sorted, shape (simulations,).
    """
    from scipy.stats import norm, t

    generator = np.random.default_rng([seed, seeds])
    main = generator.normal(0, spread.main / families**0.5, simulations)
    own = generator.normal(0, spread.interaction / families**0.5, (simulations, seeds))
    luck = generator.normal(0, spread.seed, (simulations, seeds))
    observed = main[:, None] + own + luck
    # Variances are estimated from as many families; those of the bootstrap are taken as exact.
    alike = spread.main**2 / families * generator.chisquare(families - 1, simulations)
    alike /= families - 1
    between = observed.var(axis=1, ddof=1) / seeds
    ends = alike * norm.ppf(1 - level / 2) + between * t.ppf(1 - level / 2, seeds - 1)
    return np.sort(ends / np.sqrt(alike + between) - observed.mean(axis=1))


def _curves(
    metric: Metric,
    scores: PairedScores,
    spread: Spread,
    seeds: int,
    level: float,
    simulations: int,
    families: Sequence[int],
    seed: int,
) -> dict[str, Any]:
    sign = 1.0 if metric.higher_is_better else -1.0
    effect = scores.estimate({"student": sign, "baseline": -sign}).value

    def worlds(count: int, trained: int) -> Floats:
        return smallest_shown(
            spread,
            families=count,
            seeds=trained,
            level=level,
            simulations=simulations,
            seed=seed,
        )

    counts = sorted({*families, scores.families})
    shown = {count: worlds(count, seeds) for count in counts}
    top = 1.05 * max(abs(effect), *(float(np.quantile(each, 0.95)) for each in shown.values()))
    effects = np.linspace(0.0, top, _POINTS)
    scale = spread.family
    smallest = {count: float(np.quantile(each, WANTED)) for count, each in shown.items()}
    return {
        "families": scores.families,
        "family_sd": spread.family,
        "interaction_sd": spread.interaction,
        "seed_sd": spread.seed,
        "log_scale": metric.log_scale,
        "effect": effect,
        "effect_sd": effect / scale,
        "effects": effects.tolist(),
        "effects_sd": (effects / scale).tolist(),
        "curves": [
            {
                "families": count,
                "power": (np.searchsorted(each, effects) / simulations).tolist(),
                "smallest": smallest[count],
                "smallest_sd": smallest[count] / scale,
            }
            for count, each in shown.items()
        ],
        "by_seeds": [
            {"seeds": trained, "smallest": needed, "smallest_sd": needed / scale}
            for trained in sorted({*SEEDS, seeds})
            for needed in [float(np.quantile(worlds(scores.families, trained), WANTED))]
        ],
    }
