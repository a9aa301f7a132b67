"""Tests that make no use of the bootstrap: permutation of families, and McNemar's on one row each.

Both ask about these very models. Neither knows of the luck of the seeds: with few seeds a small p
says that *these* students differ from *these* baselines, not that the method does. The verdict is
therefore the interval's; these stand beside it.
"""

import hashlib
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.statistics.significance import Floats, Score

# Swaps handled at once: bounds the memory at 512 × families × 8 bytes.
_CHUNK = 512
# Swaps that give the same score in exact arithmetic count as equal.
_TIE = 1e-9


def permutation_p(
    student: Floats, baseline: Floats, score: Score, *, draws: int, seed: int
) -> float:
    """Return the two-sided p of "student and baseline may be swapped in any family".

    A family is swapped in all seeds together, so its answers stay as alike as they are; the
    scores of the swapped sums are computed anew, as corpus scores need. The observed assignment
    counts as one of the draws (Phipson and Smyth 2010, "Permutation p-values should never be
    zero"). Luck of the seeds is not covered: it is the same in every draw.

    Args:
        student: Sums by family, shape (seeds, families, columns).
        baseline: The same of the baseline.
        score: Maps sums, shape (..., columns), to scores, shape (...).
        draws: Number of random swaps.
        seed: Seed of the swaps.
    """
    seeds, families, columns = student.shape
    total_student, total_baseline = student.sum(axis=1), baseline.sum(axis=1)
    moved = (student - baseline).transpose(1, 0, 2).reshape(families, seeds * columns)
    observed = abs(float((score(total_student) - score(total_baseline)).mean()))
    generator = np.random.default_rng([seed, 2])
    beyond = 0
    for start in range(0, draws, _CHUNK):
        size = min(_CHUNK, draws - start)
        swapped = generator.integers(2, size=(size, families)).astype(np.float64)
        shift = (swapped @ moved).reshape(size, seeds, columns)
        differences = score(total_student - shift) - score(total_baseline + shift)
        means = np.abs(differences.mean(axis=1))
        beyond += int((means >= observed - _TIE * max(1.0, observed)).sum())
    return (beyond + 1) / (draws + 1)


def mcnemar(student: pd.DataFrame, baseline: pd.DataFrame) -> dict[str, Any]:
    """Return McNemar's exact test on exact match, one row a family.

    Rows of a family are not independent, so the first gradable one by a hash of its id stands for
    the family (McNemar 1947; exact binomial form).

    Args:
        student: One run's rows of `validation_results`, sorted by row_id.
        baseline: The same rows of the baseline of the same seed.

    Returns:
        `families`, `only_baseline_right` (b), `only_student_right` (c), `p` (two-sided).
    """
    rows = student[["row_id", "family_id", "gradable", "exact_match"]].assign(
        baseline=baseline["exact_match"].to_numpy(),
        order=[hashlib.sha256(row.encode()).hexdigest() for row in student["row_id"]],
    )
    rows = rows[rows["gradable"] == "yes"].sort_values("order").drop_duplicates("family_id")
    right, baseline_right = (rows[name] == "yes" for name in ("exact_match", "baseline"))
    lost, won = int((baseline_right & ~right).sum()), int((right & ~baseline_right).sum())
    tail = sum(comb(lost + won, k) for k in range(min(lost, won) + 1))
    return {
        "families": len(rows),
        "only_baseline_right": lost,
        "only_student_right": won,
        "p": min(1.0, 2 * tail / 2 ** (lost + won)),
    }
