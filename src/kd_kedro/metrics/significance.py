"""Is the difference more than the luck of the rows and of the seeds?

Held-out families are resampled with replacement, the same families for every model, so that the
comparison stays paired. Seeds cannot be resampled the same way: k resampled seeds have only
(k - 1)/k of the variance between seeds, and three of them have no tails. The seeds' share is
therefore drawn from Student's t with k - 1 degrees of freedom, scaled by the standard error
between seeds after the part that the resampled families already explain is taken off.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Score = Callable[[Floats], Floats]

# Draws handled at once: bounds the memory of a resample at 512 × families × 8 bytes.
_CHUNK = 512
# Keeps a rank that is whole in exact arithmetic from being rounded down.
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


def estimate_over_seeds(observed: Floats, resampled: Floats, *, seed: int) -> Estimate:
    """Return the mean over seeds with its uncertainty over families and seeds.

    With V_s the variance between the seeds' observed values, its expectation counts the seeds'
    own variance plus what families add to each seed alone. The latter is seen in the resamples
    (the variance between seeds of resampled minus observed) and taken off, as in the two-way
    variance of Owen (2007, "The pigeonhole bootstrap"). One seed has no such part: its interval
    covers families only.

    Args:
        observed: Value of each seed, shape (seeds,).
        resampled: Value of each seed on each resample of families, shape (draws, seeds).
        seed: Seed of the draws for the seeds' share.
    """
    seeds = len(observed)
    draws = resampled.mean(axis=1)
    if seeds > 1:
        families_share = (resampled - observed).var(axis=1, ddof=1).mean()
        between = max(0.0, float(observed.var(ddof=1) - families_share))
        student_t = np.random.default_rng([seed, 1]).standard_t(seeds - 1, size=len(draws))
        draws = draws + np.sqrt(between / seeds) * student_t
    return Estimate(float(observed.mean()), draws)


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


def _tail_rank(level: float, draws: int) -> int:
    rank = int(level * (draws + 1) / 2 + _ROUNDING)
    if rank < 1:
        raise ValueError(
            f"{draws} draws are too few for an interval that leaves {level:g} outside: "
            f"set evaluation.verdict.draws to at least {int(2 / level)}"
        )
    return rank
