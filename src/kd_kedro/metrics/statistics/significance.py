"""Is the difference more than the luck of the rows and of the seeds?

Held-out families are resampled with replacement, the same families for every model, so that the
comparison stays paired. Seeds cannot be resampled the same way: k resampled seeds have only
(k - 1)/k of the variance between seeds, and three of them have no tails. The seeds' share is
therefore Student's t with k - 1 degrees of freedom, scaled by the standard error between seeds;
what families add to each seed alone is counted there and taken off the families' share.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Score = Callable[[Floats], Floats]

# Draws handled at once: bounds the memory of a resample at 512 × families × 8 bytes.
_CHUNK = 512
# Keeps a rank that is whole in exact arithmetic from being rounded down, and ties ties.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Estimate:
    """A number with the draws that say how sure it is."""

    value: float
    draws: Floats

    def interval(self, level: float) -> tuple[float, float]:
        """Return the equal-tailed percentile interval that leaves `level` outside."""
        rank = _tail_rank(level, len(self.draws))
        ordered = np.sort(self.draws)
        return float(ordered[rank - 1]), float(ordered[-rank])

    @property
    def p_value(self) -> float:
        """Two-sided p of "it is zero": `p <= level` exactly where `interval(level)` excludes 0."""
        beyond = min(int((self.draws <= 0).sum()), int((self.draws >= 0).sum()))
        return min(1.0, 2 * (beyond + 1) / (len(self.draws) + 1))


def resample_families(statistics: Floats, score: Score, *, draws: int, seed: int) -> Floats:
    """Return the score of every run on every resample of the families.

    Args:
        statistics: Additive statistics, shape (runs, families, columns).
        score: Maps sums over families, shape (..., columns), to scores, shape (...).
        draws: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        Scores, shape (draws, runs). Row i uses the same families for every run.
    """
    runs, families, columns = statistics.shape
    generator = np.random.default_rng(seed)
    flat = statistics.transpose(1, 0, 2).reshape(families, runs * columns)
    scores = np.empty((draws, runs))
    for start in range(0, draws, _CHUNK):
        size = min(_CHUNK, draws - start)
        picks = generator.integers(families, size=(size, families))
        picks += np.arange(size)[:, None] * families
        counts = np.bincount(picks.ravel(), minlength=size * families).reshape(size, families)
        sums = (counts.astype(np.float64) @ flat).reshape(size, runs, columns)
        scores[start : start + size] = score(sums)
    return scores


def estimate_over_seeds(observed: Floats, resampled: Floats) -> Estimate:
    """Return the mean over seeds with its uncertainty over families and seeds.

    The mean varies by what families do to all seeds alike (A), and by seeds and by what families
    do to each seed alone (B). V / k of the k seeds' observed values estimates all of B, with k - 1
    degrees of freedom; the resamples hold A and, seen in how seeds vary within one (Owen 2007,
    "The pigeonhole bootstrap"), the families' part of B, which is taken off. Quantiles of the two
    parts, the resamples' own and Student's t, are weighted by their variances (Cochran 1964,
    "Approximate significance levels of the Behrens-Fisher test"). One seed has no B: its interval
    covers families only. So does that of seeds with the very same value, as exact match may have:
    a tie does not say that seeds have no luck, and nothing is taken off the families' share.

    Args:
        observed: Value of each seed, shape (seeds,).
        resampled: Value of each seed on each resample of families, shape (draws, seeds).
    """
    seeds = len(observed)
    value, draws = float(observed.mean()), np.sort(resampled.mean(axis=1))
    if seeds == 1:
        return Estimate(value, draws)
    spread = float(draws.std())
    own = float((resampled - observed).var(axis=1, ddof=1).mean())
    alike = max(0.0, spread**2 - own / seeds)
    between = float(observed.var(ddof=1)) / seeds
    if between <= (_ROUNDING * spread) ** 2:
        return Estimate(value, draws)
    quantiles = (draws - value) / spread if spread else np.zeros(len(draws))
    mixed = alike * quantiles + between * _student_t(seeds - 1, len(draws))
    return Estimate(value, value + mixed / np.sqrt(alike + between))


def holm_levels(p_values: Mapping[str, float], level: float) -> dict[str, tuple[float, float]]:
    """Return by name the Holm-adjusted p-value and the level of the interval to show.

    The interval of a name that Holm's step-down rejects leaves out the level of its own step;
    those at and after the step where it stops leave out that step's level. So an interval
    excludes zero exactly where the name is rejected (Holm 1979).

    Args:
        p_values: Unadjusted two-sided p-values by name.
        level: Family-wise error rate, 0.05 for intervals of 95 %.
    """
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted: dict[str, tuple[float, float]] = {}
    running, stopped_at = 0.0, 0.0
    for step, name in enumerate(ordered):
        remaining = len(ordered) - step
        running = min(1.0, max(running, remaining * p_values[name]))
        own = stopped_at or level / remaining
        if not stopped_at and p_values[name] > own + _ROUNDING / remaining:
            stopped_at = own
        adjusted[name] = (running, own)
    return adjusted


@lru_cache(maxsize=16)
def _student_t(freedom: int, count: int) -> Floats:
    """Return the quantiles of Student's t that as many ordered draws stand for."""
    from scipy.stats import t

    quantiles: Floats = t.ppf(np.arange(1, count + 1) / (count + 1), freedom)
    return quantiles


def _tail_rank(level: float, draws: int) -> int:
    rank = int(level * (draws + 1) / 2 + _ROUNDING)
    if rank < 1:
        raise ValueError(
            f"{draws} draws are too few for an interval that leaves {level:g} outside: "
            f"set evaluation.verdict.draws to at least {int(2 / level)}"
        )
    return rank
