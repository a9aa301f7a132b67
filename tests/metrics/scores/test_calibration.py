"""Confidence against correctness by hand."""

import numpy as np
import pandas as pd
import pytest

from kd_kedro.metrics.scores.calibration import (
    cell_of_bins,
    ece,
    numbers_of_bins,
    reliability_table,
)


def cell(**bins: float) -> str:
    return cell_of_bins([bins.get(f"b{number}", 0.0) for number in range(10)])


def test_a_cell_is_read_as_it_was_written() -> None:
    numbers = numbers_of_bins([cell(b0=0.1, b9=-1 / 3), ""])
    assert numbers[0].tolist() == [0.1, *[0] * 8, -1 / 3]
    assert numbers[1].tolist() == [0] * 10


def test_a_cell_of_other_bins_is_an_error() -> None:
    with pytest.raises(ValueError, match="2 numbers stand in a calibration cell where 10 bins are"):
        numbers_of_bins(["1 2"])


def test_ece_by_hand() -> None:
    # Bin 1: gaps +0.5 and -0.2 cancel to 0.3 over rows; bin 2: -0.7. Four tokens.
    sums = np.array([[3, 3, 0.5, 0], [1, 1, -0.2, -0.7]]).sum(axis=0)
    assert float(ece(sums)) == pytest.approx((0.3 + 0.7) / 4)
    assert list(ece(np.zeros((2, 12)))) == [0, 0]


def test_reliability_by_hand() -> None:
    rows = pd.DataFrame(
        {
            # Row 1: confidence 0.95 right, 0.91 wrong; row 2: 0.99 right, 0.05 wrong.
            "calibration_tokens": [cell(b9=2), cell(b9=1, b0=1)],
            "calibration_confidence": [cell(b9=1.86), cell(b9=0.99, b0=0.05)],
            "calibration_gaps": [cell(b9=0.86), cell(b9=-0.01, b0=0.05)],
        },
        dtype="str",
    )
    table = reliability_table(rows)
    assert [each["tokens"] for each in table] == [1, *[0] * 8, 3]
    assert table[9]["confidence"] == pytest.approx(2.85 / 3)
    assert table[9]["accuracy"] == pytest.approx(2 / 3)
    assert table[0]["accuracy"] == pytest.approx(0)
    assert (table[5]["confidence"], table[5]["accuracy"]) == (None, None)
    assert (table[9]["low"], table[9]["high"]) == (0.9, 1.0)


def test_without_likelihoods_there_is_no_reliability() -> None:
    names = ("calibration_tokens", "calibration_confidence", "calibration_gaps")
    assert reliability_table(pd.DataFrame({name: [""] for name in names}, dtype="str")) == []
