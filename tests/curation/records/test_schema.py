"""Columns of the sheet that no stage of the curation reads."""

import pytest

from kd_kedro.curation.records.schema import STAGE, further_columns, join_further, table

ROWS = table(["row_id", "question"], [("b", "q2"), ("a", "q1")])
SOURCE = table(
    ["row_id", "verdict", "context", "topic"],
    [("a", "yes", "None", ""), ("b", "no", "two\nlines", "tax"), ("c", "", "three", "law")],
)


def test_further_columns_come_back_to_their_rows_as_they_were() -> None:
    joined = join_further(ROWS, SOURCE)
    assert list(joined.columns) == ["row_id", "question", "context", "topic"]
    assert joined["context"].tolist() == ["two\nlines", "None"]
    assert joined["topic"].tolist() == ["tax", ""]
    assert list(ROWS.columns) == ["row_id", "question"]


def test_rows_without_further_columns_stay() -> None:
    assert further_columns(table(STAGE)) == []
    assert list(join_further(ROWS, SOURCE[["row_id", "verdict"]]).columns) == ["row_id", "question"]


def test_rows_of_another_run_are_named() -> None:
    with pytest.raises(ValueError, match=r"row b is not in the table that has its context, topic"):
        join_further(ROWS, SOURCE[SOURCE["row_id"] == "a"])
