"""A table comes back with its types, and is refused where it is not what it should be."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.datasets.table_schema import TableSchema

SCHEMA = TableSchema(["name", "count", "share"], whole=["count"], number=["share"])


def text(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype="str")


def test_text_comes_back_with_its_types() -> None:
    read = text(name=["007", "None"], count=["3", "12"], share=["0.5", ""])
    typed = SCHEMA.validate(read)
    assert typed["name"].tolist() == ["007", "None"]
    assert typed["count"].tolist() == [3, 12]
    assert typed["share"].iloc[0] == 0.5
    assert math.isnan(typed["share"].iloc[1])
    assert [str(kind) for kind in typed.dtypes] == ["str", "int64", "float64"]


def test_what_has_its_types_stays_as_it_is() -> None:
    typed = SCHEMA.validate(text(name=["a"], count=["3"], share=[""]))
    pd.testing.assert_frame_equal(SCHEMA.validate(typed), typed)


def test_an_empty_table_has_its_types_too() -> None:
    typed = SCHEMA.validate(text(name=[], count=[], share=[]))
    assert [str(kind) for kind in typed.dtypes] == ["str", "int64", "float64"]


def test_the_table_that_is_checked_is_not_changed() -> None:
    read = text(name=["a"], count=["3"], share=["1"])
    before = read.copy()
    SCHEMA.validate(read)
    pd.testing.assert_frame_equal(read, before)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("count", "2.5", "column count, row 2 is '2.5', not a whole number"),
        ("count", "", "column count, row 2 is '', not a whole number"),
        ("share", "much", "column share, row 2 is 'much', not a number or empty"),
        ("name", None, "column name, row 2 is nan, not text"),
    ],
)
def test_a_wrong_cell_is_named(column: str, cell: str | None, said: str) -> None:
    read = text(name=["a", "b"], count=["3", "4"], share=["1", "2"])
    read.loc[1, column] = cell
    with pytest.raises(ValueError, match=said):
        SCHEMA.validate(read)


def test_columns_are_those_of_the_schema() -> None:
    read = text(name=["a"], count=["3"], share=["1"])
    with pytest.raises(ValueError, match="column share is missing; there are name, count"):
        SCHEMA.validate(read.drop(columns="share"))
    with pytest.raises(ValueError, match="column more is not known; the columns are name, co"):
        SCHEMA.validate(read.assign(more=["x"]))
    open_to_more = TableSchema(["name"], further=True)
    assert open_to_more.validate(read)["count"].tolist() == ["3"]
    with pytest.raises(ValueError, match="this is a dict, not a table"):
        SCHEMA.validate({})


def test_the_table_as_a_whole_is_checked() -> None:
    def refuse(table: pd.DataFrame) -> None:
        raise ValueError(f"{len(table)} rows are too few")

    with pytest.raises(ValueError, match="1 rows are too few"):
        TableSchema(["name"], check=refuse).validate(text(name=["a"]))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_to_the_last_digit(number: float) -> None:
    typed = SCHEMA.validate(text(name=["a"], count=["1"], share=[repr(number)]))
    assert typed["share"].tolist() == [number]
