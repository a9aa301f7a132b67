"""What a run ends with: of the tables that it saved, and of no others."""

import re
from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog

from kd_kedro.cli.runs_terminal import print_runs
from kd_kedro.cli.terminal import print_outcome
from kd_kedro.curation.records.lineage import EVENT_COLUMNS
from kd_kedro.curation.records.schema import QUARANTINED, table
from kd_kedro.runs.overview import RunSummary

VERSION = "2026-01-01T00.00.00.000Z"


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataCatalog:
    """Tables that a run of the preprocessing and one of the filtering left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    entry = {"type": "pandas.CSVDataset", "versioned": True, "filepath": f"{tmp_path}/{{name}}.csv"}
    load = {"dtype": "str", "keep_default_na": False}
    catalog = DataCatalog.from_config(
        {"{name}": {**entry, "load_args": load}}, save_version=VERSION
    )
    gone = "a.csv, line 3: column verdict says 'ja'"
    told = {
        "validation": [("r1", "kept", ""), ("r2", "quarantined", gone), ("r3", "kept", "")],
        "review": [("r1", "dropped", "reviewer's verdict: No"), ("r3", "kept", "")],
        "soap": [("r3", "kept", ""), ("r4", "dropped", "off topic")],
    }
    for stage, events in told.items():
        rows = [(row, stage, action, why, "", "", "") for row, action, why in events]
        catalog.save(f"{stage}_events", table(EVENT_COLUMNS, rows))
    catalog.save("quarantined_rows", table(QUARANTINED))
    catalog.save("discarded_rows", table(["row_id"]))
    return catalog


def lines(printed: str) -> list[list[str]]:
    """Return the cells of what was printed as tables."""
    rows = [line.strip("│┃ ") for line in printed.splitlines() if line.startswith(("│", "┃"))]
    return [[cell.strip() for cell in row.replace("┃", "│").split("│")] for row in rows]


def test_why_the_relevance_filter_abstained_is_said_of_its_own_removals_alone(
    catalog: DataCatalog, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog["relevance_facts"] = {"mode": "reviewer", "abstained": "few verdicts", "warnings": []}
    print_outcome(catalog, {"soap_events", "relevance_facts"}, "test")
    said = "The relevance filter removed nothing by itself: few verdicts."
    assert said in capsys.readouterr().out


def test_a_part_prints_its_rows_and_why_they_went(
    catalog: DataCatalog, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = {"validation_events", "review_events", "quarantined_rows"}
    print_outcome(catalog, saved, "test")
    printed = capsys.readouterr().out
    assert lines(printed) == [
        ["stage", "in", "created", "out", "dropped", "quarantined"],
        ["validation", "3", "0", "2", "0", "1"],
        ["review", "2", "0", "1", "1", "0"],
        ["stage", "rows", "were", "why", "and are in"],
        ["validation", "1", "quarantined", "column verdict says 'ja'", "quarantined_rows"],
        ["review", "1", "dropped", "reviewer's verdict: No", "review_events"],
    ]
    assert "1 of 3 rows were quarantined. To bring them back" in printed
    assert f"quarantined_rows: quarantined_rows.csv/{VERSION}/quarantined_rows.csv" in printed
    assert "kedro runs --env test" in printed
    assert "Report:" not in printed


def test_stages_that_do_not_follow_each_other_are_counted_each(
    catalog: DataCatalog, capsys: pytest.CaptureFixture[str]
) -> None:
    print_outcome(catalog, {"validation_events", "soap_events", "discarded_rows"}, "")
    printed = capsys.readouterr().out
    table_of_rows = [row for row in lines(printed) if row[0] in ("validation", "soap")]
    assert [row[:2] for row in table_of_rows[:2]] == [["validation", "3"], ["soap", "2"]]
    assert ["soap", "1", "dropped", "off topic", "discarded_rows"] in table_of_rows
    # The table of quarantined rows is of another run: the events of this one tell of them.
    assert table_of_rows[2][-1] == "validation_events"
    assert "--env" not in printed.replace("mended_csv", "")


def test_who_closes_the_account_tells_where_the_rows_of_other_runs_are(
    catalog: DataCatalog, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{stage}_events" for stage in ("validation", "review")]
    catalog.save("row_events", pd.concat([catalog.load(name) for name in names]))
    print_outcome(catalog, {"row_events"}, "")
    places = [row[-1] for row in lines(capsys.readouterr().out) if len(row) == 5]
    assert places == ["and are in", "quarantined_rows", "review_events"]


def test_a_run_that_saw_no_row_prints_where_to_look_next(
    catalog: DataCatalog, capsys: pytest.CaptureFixture[str]
) -> None:
    print_outcome(catalog, {"fabricated_qa"}, "")
    printed = capsys.readouterr().out
    assert lines(printed) == []
    assert "kedro trace ROW_ID" in printed


def test_where_there_are_no_runs_yet_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_runs([], 0, "test")
    said = "There are no runs yet: `kedro run --env test` makes the first.\n"
    assert capsys.readouterr().out == said


RUNS = [
    RunSummary(
        *("1cd60ee0", "2026-01-01T00.00", "a sheet with a long name.xlsx"),
        *("gpt2,server, filtering+augmentation", "finished", "not applicable", "perplexity 4.01"),
    ),
    RunSummary("2cd60ee0", "2026-01-02T00.00", "", "base", "running", "", ""),
]


def test_runs_are_a_line_each_on_a_narrow_terminal_with_names_to_copy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"COLUMNS": "80", "FORCE_COLOR": "1", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    print_runs(RUNS, 2, None)
    printed = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, printed[:4])) <= 80
    assert printed[2].startswith("1cd60ee0  2026-01-01T00.00  a sheet")
    assert "…  gpt2," in printed[2]
    assert printed[2].rstrip().endswith("…  finished  not applicable")
    assert printed[3].split() == ["2cd60ee0", "2026-01-02T00.00", "–", "base", "running", "–"]


def test_runs_are_printed_whole_into_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_runs(RUNS, 2, None)
    _, _, whole, row = capsys.readouterr().out.splitlines()[:4]
    assert "a sheet with a long name.xlsx  gpt2,server, filtering+augmentation  finished" in whole
    assert whole.rstrip().endswith("not applicable  perplexity 4.01")
    assert row.split() == ["2cd60ee0", "2026-01-02T00.00", "–", "base", "running", "–", "–"]


def test_runs_that_are_not_listed_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    print_runs(RUNS, 41, None)
    assert "2 of 41 runs, --last N for more.\n" in capsys.readouterr().out
    print_runs(RUNS, 2, None)
    assert "--last" not in capsys.readouterr().out
