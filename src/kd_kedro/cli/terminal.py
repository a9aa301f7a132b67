"""What the commands print: the outcome of a run, and the history of a row."""

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import DataCatalog
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from kd_kedro.curation.records.lineage import (
    EVENT_COLUMNS,
    collect_events,
    make_waterfall,
    stages_of,
)
from kd_kedro.curation.records.schema import table as table_of
from kd_kedro.curation.records.set_aside import count_set_aside, quarantine_sentence
from kd_kedro.metrics.scores.formatting import SummaryTable, summarise
from kd_kedro.pipelines.augmentation.pipeline import STAGES
from kd_kedro.runs.environments import kedro_command
from kd_kedro.runs.kedro_internals import load_path
from kd_kedro.training.planning.plan import Plan, candidate_lines, cost_lines


def print_outcome(catalog: DataCatalog, saved: Set[str], env: str) -> None:
    """Print what a run left behind, be it of all pipelines or of a part.

    Paths are shown relative to the working directory.

    Args:
        catalog: The run's catalog.
        saved: Names of the datasets that it saved.
        env: The environment it was made in; '' for the default one.
    """
    console = Console()
    events = _events(catalog, saved)
    gone = _taken_away(events, catalog, saved)
    tables = summarise(
        _waterfall(events),
        catalog.load("verdict") if "verdict" in saved else None,
        catalog.load("compression") if "compression" in saved else None,
    )
    if gone:
        header, note = ["stage", "rows", "were", "why", "and are in"], quarantine_sentence(events)
        tables.insert(1, SummaryTable("Rows taken away", header, gone, note))
    for each in tables:
        console.print(table(each.title, each.header, each.rows))
        if each.note:
            console.print(Text(each.note, style="bold"), soft_wrap=True)
    if "relevance_facts" in saved:
        _print_relevance(console, catalog.load("relevance_facts"))
    if "best_hyperparameters" in saved:
        best = catalog.load("best_hyperparameters")
        values = "  ".join(
            f"{key.removeprefix('distillation.')} {value}" for key, value in _rounded(best).items()
        )
        twin = f", the best baseline {_trial(best['baseline'])}" if "baseline" in best else ""
        console.print(
            f"The best student is {_trial(best)}{twin}: {values}\n"
            f"`{kedro_command('run --tuned', env)}` takes these.",
            soft_wrap=True,
            highlight=False,
        )
    console.print()
    for name in dict.fromkeys(row[-1] for row in gone if row[-1]):
        path = _short(load_path(catalog.get(name)))
        console.print(f"{name}: {path}", soft_wrap=True, highlight=False)
    if "report" in saved:
        report = _short(load_path(catalog.get("report")))
        console.print(f"Report:  {report}", soft_wrap=True, highlight=False)
    elif "evidence" in saved:
        command = kedro_command("run --pipelines reporting", env)
        console.print(f"Report:  {command}", soft_wrap=True, highlight=False)
    for what, words, note in (
        ("Lineage:", "viz run", "a page at http://127.0.0.1:4141"),
        ("Runs:", "runs", "the latest with their verdicts; kedro mlflow ui: with graphs"),
        ("One row:", "trace ROW_ID", "ROW_ID from any table, or --line LINE of the sheet"),
    ):
        line = f"{what:8} {kedro_command(words, env):24} ({note})"
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _print_relevance(console: Console, facts: Mapping[str, Any]) -> None:
    """Print why the relevance filter abstained, and what it removed without a verdict."""
    said = [f"Warning: {warning}" for warning in facts["warnings"]]
    if facts["abstained"]:
        said.append(f"The relevance filter removed nothing by itself: {facts['abstained']}.")
    for sentence in said:
        console.print(Text(sentence, style="bold yellow"), soft_wrap=True)


def _events(catalog: DataCatalog, saved: Set[str]) -> pd.DataFrame:
    """Return the events of the stages of a run; of all stages where it closed the account."""
    if "row_events" in saved:
        events: pd.DataFrame = catalog.load("row_events")
        return events
    names = [f"{stage}_events" for stage in STAGES]
    own = [catalog.load(name) for name in names if name in saved]
    return collect_events(table_of(EVENT_COLUMNS), *own)


def _waterfall(events: pd.DataFrame) -> pd.DataFrame | None:
    """Return the counts of every stage; stages that are run alone need not follow each other."""
    parts = [events[events["stage"] == stage] for stage in stages_of(events)]
    return pd.concat([make_waterfall(part) for part in parts]) if parts else None


def _taken_away(events: pd.DataFrame, catalog: DataCatalog, saved: Set[str]) -> list[list[str]]:
    """Return stage, rows, action, reason, and the dataset that the rows are in."""
    # Who closes the account has read the latest versions of what other runs made.
    closed = "row_events" in saved
    rows = []
    for each in count_set_aside(events, _MOST_REASONS):
        own = _TAKEN_TO.get((each.stage, each.action))
        names = filter(None, (own, f"{each.stage}_quarantined", f"{each.stage}_events"))
        found = (name for name in names if name in saved or (closed and catalog.exists(name)))
        place = next(found, "")
        rows.append([each.stage, str(each.rows), each.action, each.reason, place])
    return rows


def print_rows(rows: pd.DataFrame) -> None:
    """Print rows to choose one from.

    Args:
        rows: Text columns, at least one row.
    """
    Console().print(table("Rows", list(rows.columns), rows.to_numpy().tolist()))


def print_trace(
    row_id: str,
    events: pd.DataFrame,
    catalog: DataCatalog,
    stages: Set[str],
    seen: Set[str] | None = None,
) -> None:
    """Print a row's events, and its text wherever a stage changed it.

    Args:
        row_id: The row.
        events: Its events, `kd_kedro.curation.records.lineage.EVENT_COLUMNS`.
        catalog: Catalog to look the texts up in.
        stages: The stages that the row may have been through; tables of others are of other rows.
        seen: Datasets whose versions are of these rows; None for all.
    """
    console = Console()
    shown = events[["stage", "row_id", "action", "reason", "evidence"]]
    console.print(table(f"Row {row_id}", list(shown.columns), shown.to_numpy().tolist()))
    before = None
    for name in _tables(stages):
        if not catalog.exists(name) or (seen is not None and name not in seen):
            continue
        rows = catalog.load(name)
        own = rows[(rows["row_id"] == row_id) | rows["row_id"].str.startswith(f"{row_id}-")]
        for record in own.to_dict("records"):
            now = (record["question"], record["answer"])
            if now != before:
                title = f"{name} {record['row_id'].removeprefix(row_id).strip('-')}".strip()
                console.print(Text(f"\n{title}", style="bold"))
                console.print(Text(f"Question: {now[0]}\nAnswer:   {now[1]}"))
            before = now


def print_plan(plan: Plan) -> None:
    """Print what the distillation pipeline will cost, and whether to capture."""
    console = Console()
    header = ["part", "work", "FLOPs", "time", "peak memory", "disk"]
    where = "the GPU" if plan.device == "cuda" else "the process"
    console.print(table("Cost of the distillation, at most", header, list(cost_lines(plan))))
    console.print(
        f"Memory is that of {where}. Early stopping ends a training sooner; MLflow keeps a second "
        "copy of every model.",
        soft_wrap=True,
    )
    if plan.candidates:
        header = ["layers", "hidden", "heads", "neurons", "parameters", "disk", "latency"]
        title = "Shapes within the budget, and their shares of the teacher's parameters and time"
        console.print(table(title, header, list(candidate_lines(plan))))
        console.print(
            "A run trains each a little and takes the best on the validation rows (start_facts); "
            "the largest is planned.",
            soft_wrap=True,
        )
    if plan.not_counted:
        console.print(f"Not counted: {'; '.join(plan.not_counted)}.", soft_wrap=True)
    console.print(plan.patience(), soft_wrap=True)
    for each in (plan.conclusion(), *plan.length_notes):
        console.print(Text(each, style="bold"), soft_wrap=True)


# Rows that a stage took away lie in tables of their own.
_ASIDE = {
    "review": ("quarantined_rows",),
    "soap": ("discarded_rows",),
    "deduplication": ("exact_duplicate_qa_pairs", "same_question_diff_answers"),
}


_TAKEN_TO = {
    ("validation", "quarantined"): "quarantined_rows",
    ("cleaning", "quarantined"): "quarantined_rows",
    ("soap", "dropped"): "discarded_rows",
    ("deduplication", "dropped"): "exact_duplicate_qa_pairs",
    ("deduplication", "quarantined"): "same_question_diff_answers",
}
_MOST_REASONS = 5  # of a stage


def _tables(stages: Set[str]) -> Iterator[str]:
    for stage, name in STAGES.items():
        if stage not in stages:
            continue
        yield from _ASIDE.get(stage, ())
        yield name


def _trial(best: Mapping[str, Any]) -> str:
    return (
        f"trial {best['trial']} of {best['finished_trials']} that finished (validation loss "
        f"{best['validation_loss']:.4f})"
    )


def _rounded(best: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: f"{value:.4g}" if isinstance(value, float) else str(value)
        for key, value in best["parameters"].items()
    }


def table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], whole: Set[str] = frozenset()
) -> Table:
    """Return a table to print; there is at least one row.

    Args:
        title: What stands above it.
        header: Names of the columns.
        rows: Text cells.
        whole: Columns whose cells are not folded, however narrow the terminal is.
    """
    shown = Table(title=title, title_justify="left")
    for column, cells in zip(header, zip(*rows, strict=True), strict=True):
        number = all(cell.isdigit() for cell in cells)
        justify: JustifyMethod = "right" if number else "left"
        shown.add_column(column, justify=justify, overflow="fold", no_wrap=column in whole)
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown


def _short(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
