"""What one metric is: the sums over rows that it needs, its score, and how people read it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.statistics.significance import Floats, Score


@dataclass(frozen=True)
class Metric:
    """How one metric is computed from sums over rows and shown.

    Attributes:
        name: Its name in parameters, tables and JSON products.
        title: Its name as people read it.
        statistics: Takes one run's rows, returns (rows, columns) to be summed. A row that does not
            count is zero in every column; so is every row of a run without this metric.
        score: Maps sums, shape (..., columns), to scores, shape (...).
        shown: Makes of a score the number that people read.
        bounds: Least and greatest number shown.
        signature: Says exactly what was computed.
        log_scale: Scores are logarithms of what is shown: differences are of logarithms.
        per_token: A mean over tokens, which the second sum counts: models that cut the same answers
            into other tokens, or more of them, have no difference.
        against_teacher: The teacher has a score of its own to compare with; no for what is
            measured from the teacher, such as agreement with it.
        counted: What a family must have to count, as it is said where too few have it.
        percent: A share, shown in percent and its differences in points.
        decimals: Digits after the point; None takes fewer the larger the number.
        absent: Why no family at all counts, as it is said then; '' says it with `counted`.
        silent: Takes one run's rows, says why no answer to them could tell models apart; '' where
            one could.
    """

    name: str
    title: str
    statistics: Callable[[pd.DataFrame], Floats]
    score: Score
    higher_is_better: bool
    shown: Callable[[float], float]
    bounds: tuple[float, float]
    signature: Callable[[], str]
    log_scale: bool = False
    per_token: bool = False
    against_teacher: bool = True
    percent: bool = False
    decimals: int | None = None
    counted: str = "an answer"
    absent: str = ""
    silent: Callable[[pd.DataFrame], str] = lambda _: ""

    def displayed(self, score: float) -> float | None:
        """Return the number that people read of a score, within bounds; None of an infinite one."""
        low, high = self.bounds
        with np.errstate(over="ignore"):
            number = min(high, max(low, self.shown(score)))
        return number if np.isfinite(number) else None


def present(cells: "pd.Series[Any]") -> "pd.Series[bool]":
    """Return which cells hold something: an empty one is '' in text and NaN in numbers."""
    return cells.notna() & (cells != "")


def numbers(rows: pd.DataFrame, *columns: str) -> Floats:
    """Return columns of `validation_results` as numbers, shape (rows, columns).

    A row with an empty cell, which does not apply, is zero in all of them.

    Raises:
        ValueError: A number is infinite.
    """
    there = np.array(rows[list(columns)].apply(present).all(axis=1), dtype=bool)
    numbers: Floats = np.column_stack(
        [
            (rows[column] == "yes").to_numpy(dtype=np.float64)
            if column in ("gradable", "exact_match")
            else np.where(there, rows[column].where(there).astype(float), 0.0)
            for column in columns
        ]
    )
    refuse_infinite(rows, numbers, columns[0])
    return numbers


def refuse_infinite(rows: pd.DataFrame, numbers: Floats, column: str) -> None:
    """Check that the numbers that a column gave are finite, shape (rows, any).

    Raises:
        ValueError: One is not; the message names model, seed, column and row.
    """
    finite = np.array(np.isfinite(numbers).all(axis=1), dtype=bool)
    if not finite.all():
        bad = rows.iloc[int(np.argmin(finite))]
        raise ValueError(
            f"validation_results: {bad['model']} of seed {bad['seed']!r} has no finite "
            f"{column} for row {bad['row_id']}: nothing can be computed with it; its losses are in "
            "training_histories"
        )
