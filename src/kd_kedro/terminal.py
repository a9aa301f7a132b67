"""What the commands print: the outcome of a run, and the life of a row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import DataCatalog
from rich.console import Console
from rich.table import Table
from rich.text import Text

METRIC_NAMES = {
    "perplexity": "perplexity (lower is better)",
    "bleu": "BLEU",
    "exact_match": "exact match",
    "teacher_agreement": "agreement with teacher",
}


def print_outcome(catalog: DataCatalog, chosen: Sequence[str], project: Path) -> None:
    """Print what the pipelines that just ran left behind.

    Args:
        catalog: The project's catalog.
        chosen: Names of the pipelines that ran.
        project: The project's folder; paths are shown relative to the working directory.
    """
    console = Console()
    everything = "__default__" in chosen
    if everything or "augmentation" in chosen:
        console.print(_table("Rows", catalog.load("row_waterfall")))
    if everything or "evaluation" in chosen:
        verdict = catalog.load("verdict")
        console.print(_models(verdict))
        console.print(_conclusions(verdict), soft_wrap=True)
        console.print(_compression(catalog.load("compression")), soft_wrap=True)
        report = Path(str(catalog.get("report")._get_load_path()))  # type: ignore[union-attr]
        console.print(f"\nReport:  {_short(report)}", soft_wrap=True, highlight=False)
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
        events: Its events, `kd_kedro.curation.lineage.EVENT_COLUMNS`.
        catalog: To look the texts up.
    """
    console = Console()
    shown = events[["stage", "row_id", "action", "reason", "evidence"]]
    console.print(_table(f"Row {row_id}", shown))
    before = None
    for name in _TABLES:
        if not catalog.exists(name):
            continue
        table = catalog.load(name)
        own = table[(table["row_id"] == row_id) | table["row_id"].str.startswith(f"{row_id}-")]
        for record in own.to_dict("records"):
            now = (record["question"], record["answer"])
            if now != before:
                title = f"{name} {record['row_id'].removeprefix(row_id).strip('-')}".strip()
                console.print(Text(f"\n{title}", style="bold"))
                console.print(Text(f"Question: {now[0]}\nAnswer:   {now[1]}"))
            before = now


_TABLES = (
    "validated_qa",
    "quarantined_rows",
    "reviewed_qa",
    "cleaned_qa",
    "fitb_rephrased",
    "converted_mcq",
    "discarded_rows",
    "exact_duplicate_qa_pairs",
    "same_question_diff_answers",
    "deduplication_rephrasing",
    "augmented_qa",
)


def _table(title: str, rows: pd.DataFrame) -> Table:
    table = Table(title=title, title_justify="left")
    for column in rows.columns:
        number = rows[column].str.fullmatch(r"\d+").all()
        table.add_column(str(column), justify="right" if number else "left", overflow="fold")
    for record in rows.itertuples(index=False):
        table.add_row(*(Text(str(cell)) for cell in record))
    return table


def _models(verdict: Mapping[str, Any]) -> Table:
    title = f"Held-out rows: {verdict['families']} families, {len(verdict['seeds'])} seeds"
    table = Table(title=title, title_justify="left")
    for column in ("", "teacher", "baseline", "student", "student − baseline", "conclusion"):
        table.add_column(column)
    for name, metric in verdict["metrics"].items():
        cells = [_interval(metric[who]) for who in ("teacher", "baseline", "student", "difference")]
        table.add_row(METRIC_NAMES.get(name, name), *cells, metric["conclusion"])
    return table


def _interval(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "–" if value is None else f"{value:.3g}"
    if value.get("estimate") is None:
        return "–"
    return f"{value['estimate']:.3g} [{value['low']:.3g}, {value['high']:.3g}]"


def _conclusions(verdict: Mapping[str, Any]) -> Text:
    """One sentence: what distillation did on which metric."""
    said: dict[str, list[str]] = {}
    for name, metric in verdict["metrics"].items():
        said.setdefault(metric["conclusion"], []).append(name.replace("_", " "))
    parts = [f"{conclusion} on {', '.join(names)}" for conclusion, names in said.items()]
    return Text(f"\nDistilled against plain student: {'; '.join(parts)}.", style="bold")


def _compression(compression: Mapping[str, Any]) -> str:
    ratios = compression["ratios"]
    shown = ", ".join(f"{name.replace('_', ' ')} {value:.3g}×" for name, value in ratios.items())
    return f"Teacher against student: {shown}"


def _short(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
