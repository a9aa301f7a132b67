"""`kedro trace`: the life of a row."""

from collections.abc import Set

import click
import pandas as pd
from kedro.framework.startup import ProjectMetadata
from kedro.io import DataCatalog

from kd_kedro.cli.options import Command
from kd_kedro.cli.session import one_sentence, open_context
from kd_kedro.runs.environments import kedro_command

_MOST = 20  # rows that are listed where several are meant
_WAYS = ("trace ROW_ID", "trace --line LINE")


@click.command(cls=Command)
@click.argument("row_id", required=False)
@click.option(
    "--line",
    type=click.IntRange(min=1),
    help="In place of ROW_ID: the line of the sheet, or the row of a spreadsheet, where it begins.",
)
@click.option("--run", help="A run as `kedro runs` names it, in place of the latest rows.")
@click.option("--env", "-e", default=None, help="Kedro environment, as for `kedro run`.")
@click.pass_obj
def trace(
    metadata: ProjectMetadata,
    row_id: str | None,
    line: int | None,
    run: str | None,
    env: str | None,
) -> None:
    """Print the life of a row: what each stage did to it, and its text where it changed.

    ROW_ID is that of any table, or the start of one. Of a run, what it made and read is looked at.
    """
    from kd_kedro.cli.past_runs import catalog_of_run
    from kd_kedro.cli.terminal import print_rows, print_trace
    from kd_kedro.curation.records.lineage import trace as trace_row

    with one_sentence(metadata.project_path), open_context(metadata.project_path, env) as context:
        catalog, seen = catalog_of_run(context, run) if run else (context.catalog, None)
        if (row_id is None) == (line is None):
            ways = (f"`{kedro_command(words, context.env)}`" for words in _WAYS)
            raise ValueError(f"name one row: {', or '.join(ways)}")
        events = latest_events(catalog, seen)
        if events.empty:
            if run:
                raise ValueError(f"run {run} has no events of rows: name another")
            command = kedro_command("run", context.env)
            raise ValueError(f"no row has been through a stage yet: run `{command}` first")
        rows = _rows_as_read(catalog, seen)
        row = f"--line {line}" if line is not None else row_id
        looked = _looked_in(catalog, run, f"trace {row} --run RUN", context.env)
        if line is not None:
            found, meant = rows_of_line(rows, line, looked), f"begin at line {line}"
        else:
            found, meant = (
                rows_that_begin(events, rows, row_id or "", looked),
                f"begin with {row_id}",
            )
        if len(found) > 1:
            print_rows(rows_as_named(rows, found).head(_MOST))
            raise ValueError(f"{len(found)} rows {meant}: name one by its row_id")
        own = trace_row(events, found[0])
        print_trace(found[0], own, catalog, set(events["stage"]), seen)


def _looked_in(catalog: DataCatalog, run: str | None, other: str, env: str | None) -> str:
    """Return in words which run's rows are looked at, and the command that looks in another."""
    from kd_kedro.runs.provenance import version_folder

    latest = version_folder(catalog, "validated_qa", "load")
    name = run or (latest.name if latest else "")
    return (
        f"; looked at were the rows of run {name}, `{kedro_command(other, env)}` looks at those of "
        f"another (`{kedro_command('runs', env)}` lists them)"
    )


def latest_events(catalog: DataCatalog, seen: Set[str] | None = None) -> pd.DataFrame:
    """Return the events of the latest rows, of as many stages as they have been through.

    A stage whose events are older than those of the stage before it has not seen these rows.

    Args:
        catalog: The catalog.
        seen: Datasets whose versions are a run's; None where all are the latest.
    """
    from kd_kedro.curation.records.lineage import EVENT_COLUMNS, collect_events
    from kd_kedro.curation.records.schema import table
    from kd_kedro.pipelines.augmentation.pipeline import STAGES
    from kd_kedro.runs.provenance import version_folder

    found, newest = [table(EVENT_COLUMNS)], ""
    for stage in STAGES:
        folder = version_folder(catalog, f"{stage}_events", "load")
        if seen is not None and f"{stage}_events" not in seen:
            continue
        if folder is None or folder.name < newest:
            break
        newest = folder.name
        found.append(catalog.load(f"{stage}_events"))
    return collect_events(*found)


def rows_that_begin(
    events: pd.DataFrame, rows: pd.DataFrame, start: str, looked: str = ""
) -> list[str]:
    """Return the ids of the rows that begin so; a row's rewrites do not count beside it.

    Args:
        events: Events of the rows.
        rows: Text column line of the rows as they were read.
        start: An id or the start of one.
        looked: Where was looked, for the message.

    Raises:
        ValueError: There is none, or it may as well be meant as a line.
    """
    ids = list(dict.fromkeys(events["row_id"]))
    if start in ids:
        return [start]
    # A rewrite is named after its row, with its style behind a hyphen.
    found = [name for name in ids if name.startswith(start) and ("-" in start or "-" not in name)]
    line = f"--line {start}" if start in set(rows["line"]) else ""
    if found and start and not line:
        return found
    if found and start:
        raise ValueError(
            f"{start} is a line of the sheet and the start of row {found[0]}: give {line}, or more "
            "of the row_id"
        )
    raise ValueError(
        f"row {start} is in no event: take a row_id from validated_qa, or its start"
        + (f", or {line}" if line else "")
        + looked
    )


def rows_as_named(rows: pd.DataFrame, found: list[str]) -> pd.DataFrame:
    """Return the rows of some ids; a rewrite is shown by what is known of its row.

    Args:
        rows: Text column row_id, and others, of the rows as they were read.
        found: Ids of rows or rewrites.
    """
    named = rows.set_index("row_id")
    of_row = [name if name in named.index else name.partition("-")[0] for name in found]
    return named.reindex(of_row, fill_value="").assign(row_id=found)[list(rows.columns)]


def rows_of_line(rows: pd.DataFrame, line: int, looked: str = "") -> list[str]:
    """Return the ids of the rows that begin at a line.

    Args:
        rows: Text columns row_id and line.
        line: 1-based line of the sheet, or its row.
        looked: Where was looked, for the message.

    Raises:
        ValueError: No row begins there; the message names the one before.
    """
    lines = pd.to_numeric(rows["line"], errors="coerce")
    if found := rows.loc[lines == line, "row_id"].tolist():
        return found
    before = lines[lines < line].max()
    hint = "" if pd.isna(before) else f"; the one before it begins at line {before:.0f}"
    raise ValueError(f"no row begins at line {line}{hint}{looked}")


def _rows_as_read(catalog: DataCatalog, seen: Set[str] | None) -> pd.DataFrame:
    """Return row_id, line, source and question of every row that validation has seen."""
    columns = ["row_id", "line", "source", "question"]
    names = ("validated_qa", "validation_quarantined")
    tables = [catalog.load(name)[columns] for name in names if seen is None or name in seen]
    rows: pd.DataFrame = pd.concat([pd.DataFrame(columns=columns, dtype="str"), *tables])
    return rows.reset_index(drop=True)
