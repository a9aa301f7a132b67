"""Is a model as often right as it is confident? Token by token, on the reference answers.

Confidence is the probability of the model's first choice. Of each row only sums are kept, ten
numbers for ten bins of confidence, so that every resample of rows is a sum away from its score.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.statistics.significance import Floats

BINS = 10


def ece(sums: Floats) -> Floats:
    """Return the expected calibration error, 0 to 1 (Naeini et al. 2015).

    The mean over tokens of the distance between a bin's mean confidence and its accuracy.

    Args:
        sums: (…, 2 + bins): tokens, tokens again, and by bin the sum of confidence - correct.
    """
    gaps, tokens = np.abs(sums[..., 2:]).sum(axis=-1), sums[..., 1]
    errors: Floats = np.divide(gaps, tokens, out=np.zeros_like(gaps), where=tokens > 0)
    return errors


def numbers_of_bins(cells: Iterable[str]) -> Floats:
    """Return (rows, bins) of cells that hold a number for each bin; zeros of a cell ''.

    Raises:
        ValueError: A cell holds another count of numbers.
    """
    rows = [cell.split() or ["0"] * BINS for cell in cells]
    for row in rows:
        if len(row) != BINS:
            raise ValueError(
                f"validation_results: {len(row)} numbers stand in a calibration cell where "
                f"{BINS} bins are: run the evaluation pipeline again"
            )
    return np.asarray(rows, dtype=np.float64).reshape(-1, BINS)


def cell_of_bins(numbers: Iterable[float]) -> str:
    """Return the cell that `numbers_of_bins` reads."""
    return " ".join(repr(float(number)) for number in numbers)


def reliability_table(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what a reliability diagram draws, for the rows of one model, its seeds pooled.

    Args:
        rows: `validation_results` of one model.

    Returns:
        For each bin: `low` and `high` (confidence), `tokens`, and the mean `confidence` and
        `accuracy` of its tokens, None where the bin is empty. No bins for a model without
        likelihoods.
    """
    if (rows["calibration_tokens"] == "").all():
        return []
    tokens, confidence, gaps = (
        numbers_of_bins(rows[name]).sum(axis=0)
        for name in ("calibration_tokens", "calibration_confidence", "calibration_gaps")
    )
    return [
        {
            "low": number / BINS,
            "high": (number + 1) / BINS,
            "tokens": int(count),
            "confidence": float(confidence[number] / count) if count else None,
            "accuracy": float((confidence[number] - gaps[number]) / count) if count else None,
        }
        for number, count in enumerate(tokens)
    ]
