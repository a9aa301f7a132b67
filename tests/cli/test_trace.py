"""A row is named by its id, the start of it or its line; only what saw the latest rows is told."""

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog

from kd_kedro.cli.trace import latest_events, rows_as_named, rows_of_line, rows_that_begin
from kd_kedro.curation.records.lineage import EVENT_COLUMNS
from kd_kedro.curation.records.schema import table

IDS = ["17aa", "17ab", "2bcc", "2bcc-typo", "2bcc-formal"]
EVENTS = table(EVENT_COLUMNS, [[name, "validation", "kept", "", "", "", ""] for name in IDS])
ROWS = table(["row_id", "line"], [["17aa", "2"], ["17ab", "5"], ["2bcc", "9"]])


@pytest.mark.parametrize(
    ("start", "found"),
    [
        ("17aa", ["17aa"]),
        ("17", ["17aa", "17ab"]),
        ("2b", ["2bcc"]),
        ("2bcc", ["2bcc"]),
        ("2bcc-typo", ["2bcc-typo"]),
        ("2bcc-t", ["2bcc-typo"]),
    ],
)
def test_the_start_of_an_id_is_enough(start: str, found: list[str]) -> None:
    assert rows_that_begin(EVENTS, ROWS, start) == found


def test_a_row_that_is_not_there_is_told_with_where_was_looked() -> None:
    with pytest.raises(ValueError, match=r"or its start; looked here$"):
        rows_that_begin(EVENTS, ROWS, "nosuch", "; looked here")
    with pytest.raises(ValueError, match=r"begins at line 5; looked here$"):
        rows_of_line(ROWS, 8, "; looked here")


def test_rewrites_are_listed_with_the_line_of_their_row() -> None:
    found = rows_that_begin(EVENTS, ROWS, "2bcc-")
    shown = rows_as_named(ROWS, found)
    assert shown.to_numpy().tolist() == [["2bcc-typo", "9"], ["2bcc-formal", "9"]]


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("nosuch", "row nosuch is in no event: take a row_id from validated_qa, or its start$"),
        ("", "is in no event"),
        ("5", "row 5 is in no event.*, or --line 5$"),
        ("2", "2 is a line of the sheet and the start of row 2bcc: give --line 2, or more"),
    ],
)
def test_a_number_is_not_taken_for_an_id_in_silence(start: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rows_that_begin(EVENTS, ROWS, start)


def test_a_line_finds_every_row_that_begins_there() -> None:
    rows = pd.concat([ROWS, table(["row_id", "line"], [["3c", "9"], ["4d", "10"]])])
    assert rows_of_line(rows, 10) == ["4d"]  # as a number: "10" lies behind "9"
    assert rows_of_line(rows, 9) == ["2bcc", "3c"]
    with pytest.raises(ValueError, match=r"no row begins at line 8; .* begins at line 5$"):
        rows_of_line(rows, 8)
    with pytest.raises(ValueError, match=r"no row begins at line 1$"):
        rows_of_line(rows, 1)


def test_stages_that_have_not_seen_the_latest_rows_are_left_out(tmp_path: Path) -> None:
    entry = {
        "type": "pandas.CSVDataset",
        "versioned": True,
        "filepath": f"{tmp_path}/{{stage}}_events.csv",
        "load_args": {"dtype": "str"},
    }

    def save(day: int, *stages: str) -> None:
        version = f"2026-01-0{day}T00.00.00.000Z"
        catalog = DataCatalog.from_config({"{stage}_events": entry}, save_version=version)
        for stage in stages:
            catalog.save(f"{stage}_events", EVENTS.assign(stage=stage))

    def seen() -> list[str]:
        events = latest_events(DataCatalog.from_config({"{stage}_events": entry}))
        return list(events["stage"].unique())

    assert seen() == []
    save(1, "validation", "review", "cleaning")
    assert seen() == ["validation", "review", "cleaning"]
    save(2, "validation", "review")
    assert seen() == ["validation", "review"]
    save(3, "cleaning")
    assert seen() == ["validation", "review", "cleaning"]
