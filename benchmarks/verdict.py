"""How often the verdict is right where the truth is known.

`python benchmarks/verdict.py [--worlds 1000] [--runs 200] [--families 450] [--first 0]`

Coverage: intervals of the paired difference in simulated worlds, by seeds and families. A world has
families that gain differently (sd 0.117 nats), luck of each family with each seed (0.178) and of
each seed, of the size measured on the sample or none or large; exact match is drawn as right or
wrong. Planted students: tables of held-out results with a known gain go through the real `judge`.
"""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from measuring import at_least, finish, parser, run
from planted_students import PRIMARY, calibrated, judged

from kd_kedro.metrics.scores.exact_match import ratio
from kd_kedro.metrics.statistics.significance import (
    Estimate,
    Floats,
    estimate_over_seeds,
    resample_families,
)

FAMILIES = (30, 100, 450)
SEEDS = (2, 3, 5)
MAIN, INTERACTION = 0.117, 0.178  # nats, as measured on the sample
LUCK = {"none": 0.0, "as measured": 0.032, "large": 0.15}  # nats, sd of a seed
# One seed's luck on exact match in logits: makes sd 0.04 between seeds, as measured.
LOGITS = 11.0
TRUTH = {"perplexity": 0.05, "exact_match": 0.0}
LEVELS = {"95 %": 0.05, "98.3 %": 0.05 / 3}  # the second is Holm's first step of three metrics


def main() -> None:
    """Simulate, judge and print."""
    arguments = parser(__doc__, learns=False)
    arguments.add_argument("--worlds", type=at_least(1), default=1000, help="per coverage cell")
    arguments.add_argument("--runs", type=at_least(1), default=200, help="per planted student")
    arguments.add_argument("--families", type=at_least(30), default=450, help="of planted students")
    arguments.add_argument("--draws", type=at_least(399), default=1999, help="of each bootstrap")
    arguments.add_argument("--first", type=at_least(0), default=0, help="number of the first world")
    arguments.add_argument(
        "--table", type=at_least(30), default=2000, help="families to calibrate on"
    )
    arguments.add_argument("--processes", type=at_least(1), default=2)
    given = arguments.parse_args()
    with ProcessPoolExecutor(given.processes) as pool:
        worlds, runs = (
            range(given.first, given.first + count) for count in (given.worlds, given.runs)
        )
        cells = [cell for count in FAMILIES for cell in _coverage(pool, count, worlds)]
        for cell in cells:
            print(_line(cell))
        planted = {}
        gains, spreads = calibrated(given.families, given.table)
        none = dict.fromkeys(gains, 0.0)
        only = {**none, "perplexity": gains["perplexity"]}
        for name, gain in (("useless", none), ("all", gains), ("perplexity only", only)):
            judge_one = partial(judged, gain, families=given.families, draws=given.draws)
            planted[name] = _shares(list(pool.map(judge_one, runs, chunksize=5)))
            print(f"{name}: {planted[name]}")
    covered = [cell["95 %"] for cell in cells]
    useless = 1 - planted["useless"]["overall"].get("better", 0.0)
    useless -= planted["useless"]["overall"].get("mixed", 0.0)
    figures = {
        "worlds": given.worlds,
        "first": given.first,
        "coverage": cells,
        "coverage_lowest": min(covered),
        "coverage_highest": max(covered),
        "outside_93_97": [cell for cell in cells if not 0.93 <= cell["95 %"] <= 0.97],
        "runs": given.runs,
        "families": given.families,
        "spreads": spreads,
        "gains": gains,
        "planted": planted,
        "useless_not_better": useless,
        "half_sd_better": planted["all"]["overall"].get("better", 0.0),
    }
    summary = (
        f"verdict: 95 % intervals cover {100 * min(covered):.1f} to {100 * max(covered):.1f} % "
        f"({len(figures['outside_93_97'])} of {len(cells)} cells outside 93-97 %), a useless "
        f"student is not called better in {100 * useless:.1f} % of {given.runs} runs, one half a "
        f"standard deviation better is in {100 * figures['half_sd_better']:.1f} %"
    )
    finish(figures, summary, given.json)


def _coverage(pool: ProcessPoolExecutor, families: int, worlds: range) -> list[dict[str, Any]]:
    """Return one record per metric, luck and number of seeds: the share of worlds covered."""
    each = pool.map(partial(covers, families), worlds, chunksize=20)
    names, hits = None, []
    for told in each:
        names = [key for key, _ in told]
        hits.append([list(value.values()) for _, value in told])
    shares = np.mean(np.array(hits, dtype=float), axis=0)
    kinds = [*LEVELS, "95 %, families only"]
    return [
        {"metric": metric, "luck": luck, "seeds": seeds, "families": families}
        | dict(zip(kinds, map(float, row), strict=True))
        for (metric, luck, seeds), row in zip(names or [], shares, strict=True)
    ]


def covers(families: int, number: int) -> list[tuple[tuple[str, str, int], dict[str, bool]]]:
    """Tell of one world which intervals hold the truth; cells share the world's families."""
    rng = np.random.default_rng([number, families])
    worlds = {
        (metric, luck): draw(rng, families, size)
        for luck, size in LUCK.items()
        for metric, draw in (("perplexity", _nats), ("exact_match", _right))
    }
    statistics = np.concatenate(list(worlds.values()))
    observed = ratio(statistics.sum(axis=1))
    resampled = resample_families(statistics, ratio, draws=799, seed=number)
    most = max(SEEDS)
    told = []
    for place, (metric, luck) in enumerate(worlds):
        start = 2 * most * place
        for seeds in SEEDS:
            own = slice(start, start + seeds)
            other = slice(start + most, start + most + seeds)
            value, draws = observed[own] - observed[other], resampled[:, own] - resampled[:, other]
            estimate = estimate_over_seeds(value, draws)
            alone = Estimate(float(value.mean()), draws.mean(axis=1))
            held = {name: _holds(estimate, level, TRUTH[metric]) for name, level in LEVELS.items()}
            held["families"] = _holds(alone, 0.05, TRUTH[metric])
            told.append(((metric, luck, seeds), held))
    return told


def _nats(rng: np.random.Generator, families: int, luck: float) -> Floats:
    """Return (students then baselines, families, 2): summed nats and answer tokens."""
    most = max(SEEDS)
    rows = rng.choice([1, 1, 1, 2, 3], families)
    tokens = rows * rng.integers(3, 30, families)
    hardness = rng.gamma(4, 0.35, families)
    baseline = hardness + rng.normal(0, INTERACTION / 2**0.5, (most, families))
    student = hardness + TRUTH["perplexity"] + rng.normal(0, MAIN, families)
    student = student + rng.normal(0, INTERACTION / 2**0.5, (most, families))
    student += rng.normal(0, luck, (most, 1))
    values = np.concatenate([student, baseline])
    return np.stack([values * tokens, np.broadcast_to(tokens, values.shape)], axis=-1)


def _right(rng: np.random.Generator, families: int, luck: float) -> Floats:
    """Return (students then baselines, families, 2): exact answers and gradable rows."""
    most = max(SEEDS)
    known = rng.normal(-2.5, 1.8, families) + rng.normal(0, 0.7, (2, 1, families))
    # Both have luck of the same size, so that the true difference is zero on every scale.
    known = known + rng.normal(0, LOGITS * luck / 2**0.5, (2, most, 1))
    right = rng.random((2, most, families)) < 1 / (1 + np.exp(-known))
    values = right.reshape(2 * most, families).astype(float)
    return np.stack([values, np.ones_like(values)], axis=-1)


def _holds(estimate: Estimate, level: float, truth: float) -> bool:
    low, high = estimate.interval(level)
    return low <= truth <= high


def _shares(verdicts: list[Mapping[str, str]]) -> dict[str, dict[str, float]]:
    """Return by "overall" and by metric how often each conclusion was reached."""
    return {
        name: {
            word: sum(each[name] == word for each in verdicts) / len(verdicts)
            for word in sorted({each[name] for each in verdicts})
        }
        for name in ("overall", *PRIMARY)
    }


def _line(cell: Mapping[str, Any]) -> str:
    shares = "  ".join(f"{key} {100 * cell[key]:5.1f}" for key in cell if "%" in key)
    return (
        f"{cell['metric']:12} luck {cell['luck']:12} {cell['seeds']} seeds "
        f"{cell['families']:4} families  {shares}"
    )


if __name__ == "__main__":
    run(main)
