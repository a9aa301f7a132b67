"""What the commands print: the outcome of a run, and the history of a row."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import DataCatalog
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kd_kedro.metrics.scores.formatting import summarise
from kd_kedro.pipelines.augmentation.pipeline import STAGES
from kd_kedro.runs.kedro_internals import load_path
from kd_kedro.training.planning.plan import Plan, cost_lines


def print_outcome(catalog: DataCatalog, chosen: Sequence[str], project: Path) -> None:
    """Print what the pipelines that just ran left behind.

    Args:
        catalog: The project's catalog.
        chosen: Names of the pipelines that ran.
        project: The project's folder; paths are shown relative to the working directory.
    """
    console = Console()
    everything = "__default__" in chosen
    counted = everything or "augmentation" in chosen
    judged = everything or "evaluation" in chosen
    tables = summarise(
        catalog.load("row_waterfall") if counted else None,
        catalog.load("verdict") if judged else None,
        catalog.load("compression") if judged else None,
    )
    for each in tables:
        console.print(table(each.title, each.header, each.rows))
        if each.note:
            console.print(Text(each.note, style="bold"), soft_wrap=True)
    if "tuning" in chosen:
        best = catalog.load("best_hyperparameters")
        values = "  ".join(f"{key.rpartition('.')[2]} {v}" for key, v in _rounded(best).items())
        console.print(
            f"Best of {best['finished_trials']} finished trials is {best['trial']}, validation "
            f"loss {best['validation_loss']:.4f}: {values}\n`kedro run --tuned` takes these.",
            soft_wrap=True,
            highlight=False,
        )
    if everything or "reporting" in chosen:
        report = _short(load_path(catalog.get("report")))
        console.print(f"\nReport:  {report}", soft_wrap=True, highlight=False)
    elif judged:
        console.print("\nReport:  kedro run --pipelines reporting", highlight=False)
    console.print(
        "Lineage: kedro viz run            (a page at http://127.0.0.1:4141)\n"
        "Runs:    kedro mlflow ui          (a page at http://127.0.0.1:5000)\n"
        "One row: kedro trace ROW_ID       (ROW_ID from any table)",
        soft_wrap=True,
        highlight=False,
    )


def print_trace(row_id: str, events: pd.DataFrame, catalog: DataCatalog) -> None:
    """Print a row's events, and its text wherever a stage changed it.

    Args:
        row_id: The row.
        events: Its events, `kd_kedro.curation.records.lineage.EVENT_COLUMNS`.
        catalog: Catalog to look the texts up in.
    """
    console = Console()
    shown = events[["stage", "row_id", "action", "reason", "evidence"]]
    console.print(table(f"Row {row_id}", list(shown.columns), shown.to_numpy().tolist()))
    before = None
    for name in _tables():
        if not catalog.exists(name):
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
    header = ["part", "work", "time", "peak memory", "disk"]
    where = "the GPU" if plan.device == "cuda" else "the process"
    console.print(table("Cost of the distillation, at most", header, list(cost_lines(plan))))
    console.print(
        f"Memory is that of {where}. Early stopping ends a training sooner; MLflow keeps a second "
        "copy of every model.",
        soft_wrap=True,
    )
    if plan.not_counted:
        console.print(f"Not counted: {'; '.join(plan.not_counted)}.", soft_wrap=True)
    console.print(Text(plan.conclusion(), style="bold"), soft_wrap=True)


# Rows that a stage took away lie in tables of their own.
_ASIDE = {
    "review": ("quarantined_rows",),
    "soap": ("discarded_rows",),
    "deduplication": ("exact_duplicate_qa_pairs", "same_question_diff_answers"),
}


def _tables() -> Iterator[str]:
    for stage, name in STAGES.items():
        yield from _ASIDE.get(stage, ())
        yield name


def _rounded(best: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: f"{value:.4g}" if isinstance(value, float) else str(value)
        for key, value in best["parameters"].items()
    }


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table to print; there is at least one row."""
    shown = Table(title=title, title_justify="left")
    for column, cells in zip(header, zip(*rows, strict=True), strict=True):
        number = all(cell.isdigit() for cell in cells)
        shown.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown


def _short(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
