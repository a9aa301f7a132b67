"""Tables of held-out results with a known gain of the student, for the verdict to judge."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kd_kedro.metrics.comparison.paired_scores import pair, paired_runs
from kd_kedro.metrics.comparison.power import measure_spread
from kd_kedro.metrics.comparison.verdict import judge
from kd_kedro.metrics.scores.metric_table import METRICS, RESULT_COLUMNS

PRIMARY = ("perplexity", "bleu", "exact_match")  # those of conf/base
SEEDS = 4  # those of conf/base
HALF = 0.5  # standard deviations over families of the paired difference, the mean over seeds
# By metric: what the families' gains, their luck with a seed, and a seed's luck vary by (sd), in
# nats a token for perplexity and in logits otherwise. They make the spreads measured on the sample.
SPREADS = {
    "perplexity": (0.117, 0.178, 0.032),
    "bleu": (0.35, 0.5, 0.06),
    "exact_match": (0.5, 1.0, 0.35),
    "teacher_agreement": (0.15, 0.2, 0.065),
}
_LEVELS = {"perplexity": -2.0, "bleu": 0.6, "exact_match": -2.2, "teacher_agreement": 0.9}
_HARDNESS = {"perplexity": 0.4, "bleu": 0.8, "exact_match": 1.5, "teacher_agreement": 0.4}
_LEADS = {"perplexity": 0.7, "bleu": 1.0, "exact_match": 1.8, "teacher_agreement": 9.0}
_WORDS = np.array([f"word{number}" for number in range(60)])
_CHOSEN = [metric for metric in METRICS if metric.name in PRIMARY]


def judged(gains: Mapping[str, float], number: int, *, families: int, draws: int) -> dict[str, str]:
    """Return the verdict's words on one planted student: overall and by primary metric."""
    said = judge(
        planted(gains, families, number),
        primary=PRIMARY,
        confidence=0.95,
        draws=draws,
        min_families=30,
        margin=0.05,
        seed=number,
        metrics=_CHOSEN,
    )
    words = {name: metric["conclusion"] for name, metric in said["metrics"].items()}
    return {"overall": said["overall"], **words}


def calibrated(
    families: int, table: int = 2000
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Return by metric the gain to plant for half a standard deviation, and the spreads met.

    The gain is found by bisection on a large table without luck of the seeds.

    Args:
        families: Families of the table that spreads are measured on.
        table: Families of the large table.
    """
    gains = {}
    for metric in _CHOSEN:
        low, high = 0.0, 1.0
        for _ in range(8):
            middle = (low + high) / 2
            runs = paired_runs(planted({metric.name: middle}, table, 0, luck=0.0))
            scores = pair(metric, runs, draws=1, seed=0)
            sign = 1.0 if metric.higher_is_better else -1.0
            effect = scores.estimate({"student": sign, "baseline": -sign}).value
            below = effect < HALF * measure_spread(metric, scores).family
            low, high = (middle, high) if below else (low, middle)
        gains[metric.name] = (low + high) / 2
    return gains, _measured(families)


def planted(
    gains: Mapping[str, float], families: int, number: int, *, luck: float = 1.0
) -> pd.DataFrame:
    """Return `validation_results` of a teacher and of baselines and students of three seeds.

    Args:
        gains: By metric how much better the student is, in the units of `SPREADS`.
        families: Families of one row each; every second one can be graded.
        number: Seed of everything drawn.
        luck: Factor of the seeds' luck.
    """
    rng = np.random.default_rng([number, 7])
    runs = [("teacher", "")] + [(m, str(s)) for m in ("baseline", "student") for s in range(SEEDS)]
    quality = {name: _quality(rng, name, families, gains, luck) for name in SPREADS}
    sizes = rng.integers(4, 15, families)
    tokens = sizes + 1
    words = _WORDS[rng.integers(len(_WORDS), size=(families, 15))]
    can = np.where(np.arange(families) % 2, "yes", "no")
    parts = []
    for place, (model, seed) in enumerate(runs):
        here = {name: value[place] for name, value in quality.items()}
        chance = {name: 1 / (1 + np.exp(-value)) for name, value in here.items()}
        kept = rng.random(words.shape) < chance["bleu"][:, None]
        said = np.where(kept, words, _WORDS[rng.integers(len(_WORDS), size=words.shape)])
        exact = (rng.random(families) < chance["exact_match"]) & (can == "yes")
        parts.append(
            pd.DataFrame(
                {
                    "row_id": [f"r{row:05}" for row in range(families)],
                    "family_id": [f"f{row:05}" for row in range(families)],
                    "model": model,
                    "seed": seed,
                    "question": "?",
                    "reference": _texts(words, sizes),
                    "prediction": _texts(said, sizes),
                    "nll": (-here["perplexity"] * tokens).astype(str),
                    "answer_tokens": tokens.astype(str),
                    "agreeing_tokens": rng.binomial(tokens, chance["teacher_agreement"]).astype(
                        str
                    ),
                    "gradable": can,
                    "exact_match": np.where(exact, "yes", "no"),
                }
            )
        )
    return pd.concat(parts, ignore_index=True).reindex(columns=RESULT_COLUMNS, fill_value="")


def _quality(
    rng: np.random.Generator, name: str, families: int, gains: Mapping[str, float], luck: float
) -> np.ndarray:
    """Return (teacher, baselines, students) by family: nats below zero, or logits."""
    main, interaction, seed = SPREADS[name]
    level = _LEVELS[name] + rng.normal(0, _HARDNESS[name], families)
    own = rng.normal(0, interaction / 2**0.5, (2 * SEEDS, families))
    own[SEEDS:] += gains.get(name, 0.0) + rng.normal(0, main, families)
    own[SEEDS:] += luck * rng.normal(0, seed, (SEEDS, 1))
    return level + np.concatenate([np.full((1, families), _LEADS[name]), own])


def _measured(families: int) -> dict[str, dict[str, float]]:
    """Return by metric the spreads that the verdict's own code meets in tables without a gain."""
    met: dict[str, dict[str, float]] = {}
    for metric in _CHOSEN:
        each = [
            measure_spread(
                metric, pair(metric, paired_runs(planted({}, families, n)), draws=1, seed=0)
            )
            for n in range(10)
        ]
        met[metric.name] = {
            part: float(np.mean([getattr(one, part) ** 2 for one in each]) ** 0.5)
            for part in ("family", "interaction", "seed")
        }
    return met


def _texts(words: np.ndarray, sizes: np.ndarray) -> list[str]:
    return [" ".join(row[:size]) for row, size in zip(words.tolist(), sizes.tolist(), strict=True)]
