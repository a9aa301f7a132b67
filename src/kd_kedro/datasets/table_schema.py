"""What the columns of a table are: checked before it is saved, given their types when it is read.

A schema stands in the catalog as an entry's `validator:`; Kedro calls it on saving and on loading.
CSV files are read as text, so that no cell changes; the schema turns the text into numbers.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd

Kind = Literal["text", "whole", "number"]
_NOUN: Mapping[str, str] = MappingProxyType(
    {"whole": "a whole number", "number": "a number or empty"}
)


class TableSchema:
    """The columns of a table, with the kind of each.

    Kinds: `text` (pandas `str`), `whole` (int64) and `number` (float64, an empty cell is NaN).
    """

    def __init__(
        self,
        columns: Iterable[str],
        *,
        whole: Iterable[str] = (),
        number: Iterable[str] = (),
        further: bool = False,
        check: Callable[[pd.DataFrame], object] | None = None,
    ) -> None:
        """Declare the columns.

        Args:
            columns: Their names; those that are named nowhere else are text.
            whole: Names of those of whole numbers.
            number: Names of those of numbers.
            further: Whether the table may have more columns, which stay as they are.
            check: Raises a ValueError where the table as a whole is wrong.
        """
        kinds: dict[str, Kind] = {
            **dict.fromkeys(whole, "whole"),
            **dict.fromkeys(number, "number"),
        }
        self.kinds: dict[str, Kind] = {name: kinds.get(name, "text") for name in [*columns, *kinds]}
        self._further, self._check = further, check

    def validate(self, data: Any) -> pd.DataFrame:
        """Return the table with its types.

        Args:
            data: The table to save, or the text that was read.

        Raises:
            ValueError: A column is missing or not known, or a cell is not of its column's kind;
                the message names column and row.
        """
        if not isinstance(data, pd.DataFrame):
            raise ValueError(f"this is a {type(data).__name__}, not a table")
        missing = [name for name in self.kinds if name not in data]
        strange = [name for name in data.columns if name not in self.kinds]
        if missing:
            raise ValueError(f"column {missing[0]} is missing; there are {', '.join(data.columns)}")
        if strange and not self._further:
            raise ValueError(
                f"column {strange[0]} is not known; the columns are {', '.join(self.kinds)}"
            )
        typed = data.assign(**{name: _typed(data[name], kind) for name, kind in self.kinds.items()})
        if self._check is not None:
            self._check(typed)
        return typed


def _typed(column: "pd.Series[Any]", kind: Kind) -> "pd.Series[Any]":
    if kind == "text":
        return _text(column)
    empty = column.isna() | (column.astype(object) == "")
    # Python's own float is the nearest double: what repr wrote comes back as it was.
    typed = pd.Series(map(_number, column), index=column.index, name=column.name, dtype=float)
    if kind == "number":
        _complete(column, typed.mask(empty, 0.0), kind)
        return typed
    return _complete(column, typed.where(np.floor(typed) == typed), kind).astype("int64")


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan


def _text(column: "pd.Series[Any]") -> "pd.Series[Any]":
    strange = [value for value in column if not isinstance(value, str)]
    if strange:
        row = next(n for n, value in enumerate(column) if not isinstance(value, str))
        raise ValueError(f"column {column.name}, row {row + 1} is {strange[0]!r}, not text")
    return column.astype("str")


def _complete(column: "pd.Series[Any]", typed: "pd.Series[Any]", kind: Kind) -> "pd.Series[Any]":
    wrong = typed.isna().to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"column {column.name}, row {row + 1} is {column.iloc[row]!r}, not {_NOUN[kind]}"
        )
    return typed
