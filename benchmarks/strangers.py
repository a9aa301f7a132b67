"""What curation makes of sheets that nobody made for it: rows kept, dropped, set aside, changed.

    python benchmarks/strangers.py [--sheets DIR] [--json OUT]

Each file of DIR goes through `kedro run --pipelines preprocessing,filtering` in a copy of the
project. Its columns are guessed from its header, or said in `<sheet>.yml` beside it, with the keys
that `columns` of globals.yml has. A sheet that cannot be read or has no row left is told with the
sentence a user gets, and the next one is tried. `changed` counts characters; `other` has HTML
entities, Unicode forms and what later stages alter in rows that are kept. There is no rival.
"""

import json
import logging
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from measuring import parser, run
from tqdm import tqdm

from kd_kedro.cli.errors import sentence
from kd_kedro.curation.duplicates.conflicts import EXACT
from kd_kedro.curation.records.change_examples import kind_of
from kd_kedro.curation.repair.text_changes import changed_characters, changed_spans

ROOT = Path(__file__).resolve().parents[1]
SHEETS = ROOT.parent / "shared" / "cases" / "sheets"
PIPELINES = ["preprocessing", "filtering"]
NO_SHEETS = (".yml", ".yaml", ".md")
DROPPED = ("off_topic", "exact_copy", "near_copy", "rejected")
CHANGED = ("mojibake", "control", "edge_space", "other")
_KIND_OF_REPAIR = {
    "mojibake": "mojibake",
    "control_characters": "control",
    "edge_spaces": "edge_space",
}
# Tables between which later stages change texts.
_TABLES = (
    "cleaned_qa",
    "screened_qa",
    "fitb_rephrased",
    "converted_mcq",
    "soap_qa",
    "deduplication_rephrasing",
)
# What columns are called, the likeliest name first; a name inside a longer one counts too.
_NAMES = {
    "question": "question frage pregunta domanda pergunta vraag fråga pytanie вопрос 问题 質問 "
    "سؤال प्रश्न prompt instruction query input text q",
    "answer": "answer antwort respuesta risposta resposta réponse antwoord svar odpowiedź ответ "
    "答案 回答 جواب उत्तर response completion output label category a",
    "verdict": "verdict urteil classification veredicto giudizio",
}
_NOWHERE = "\u2060"  # no column is called so


def main() -> None:
    """Run every sheet and print a table."""
    arguments = parser(__doc__, learns=False)
    arguments.add_argument("--sheets", type=Path, default=SHEETS, help="a folder of sheets")
    given = arguments.parse_args()
    sheets = find_sheets(given.sheets)
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        project = copy_project(Path(scratch) / "project")
        sys.path.insert(0, str(project / "src"))  # a spawned process has this process's path
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            bar = tqdm(sheets, unit="sheet")
            for sheet in bar:
                bar.set_description(sheet.name)
                figures[sheet.name] = pool.submit(run_sheet, project, sheet).result()
    print_table(figures)
    if given.json:
        text = json.dumps(figures, indent=1, ensure_ascii=False)
        given.json.write_text(text + "\n", encoding="utf-8")
    read = [each for each in figures.values() if "error" not in each]
    print(
        f"strangers: {len(read)} of {len(figures)} sheets read, {sum(e['kept'] for e in read)} of "
        f"{sum(e['rows'] for e in read)} rows kept, "
        f"{sum(sum(e['changed'].values()) for e in read)} characters changed"
    )


def find_sheets(folder: Path) -> list[Path]:
    """Return the sheets of a folder, by name.

    Raises:
        ValueError: There is none.
    """
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    sheets = [
        path
        for path in files
        if path.is_file()
        and path.suffix.lower() not in NO_SHEETS
        and not path.name.startswith((".", "~"))
    ]
    if not sheets:
        raise ValueError(f"{folder} holds no sheets: name a folder of sheets by --sheets")
    return [path.resolve() for path in sheets]


def copy_project(target: Path) -> Path:
    """Copy code and configuration, without that of this machine, to a project of its own."""
    ignored = shutil.ignore_patterns("__pycache__", "local")
    for name in ("conf", "src"):
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", target)
    (target / "conf" / "local").mkdir()
    (target / "logs").mkdir()
    return target


def run_sheet(project: Path, sheet: Path) -> dict[str, Any]:
    """Return the figures of a sheet, or `error`, the sentence that a user reads.

    Args:
        project: A copy of the project, which this process works in.
        sheet: The sheet.
    """
    os.chdir(project)
    with Path("output.txt").open("a", encoding="utf-8") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    try:
        return _figures(_run_pipelines(project, sheet))
    except Exception as error:
        logging.getLogger("kd_kedro.traceback").exception(sheet.name)
        return {"error": sentence(error)}


def _run_pipelines(project: Path, sheet: Path) -> dict[str, pd.DataFrame]:
    """Run the pipelines on a sheet; return the tables that the figures are counted from."""
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    environment = f"sheet_{sum(1 for _ in (project / 'conf').iterdir())}"
    settings = {
        "data_root": f"data/{environment}",
        "qa_csv": str(sheet),
        "columns": find_columns(sheet),
    }
    (project / "conf" / environment).mkdir()
    text = yaml.safe_dump(settings, allow_unicode=True)
    (project / "conf" / environment / "globals.yml").write_text(text, encoding="utf-8")
    bootstrap_project(project)
    session = KedroSession.create(project_path=project, env=environment)
    with session:
        session.run(pipeline_names=PIPELINES)
        catalog = session.load_context().catalog
        names = ("preprocessing_events", "filtering_events", *_TABLES)
        return {name: catalog.load(name) for name in names}


def find_columns(sheet: Path) -> dict[str, Any]:
    """Return the columns of a sheet as `columns` of globals.yml names them.

    Raises:
        ValueError: The file beside the sheet says something else than columns.
    """
    for beside in (sheet.with_suffix(".yml"), sheet.with_name(f"{sheet.name}.yml")):
        if beside.is_file():
            said = yaml.safe_load(beside.read_text(encoding="utf-8"))
            said = said.get("columns", said) if isinstance(said, dict) else said
            if not isinstance(said, dict):
                raise ValueError(f"{beside.name} names no columns: write `question: NAME` in it")
            return said
    header = _header(sheet)
    guessed = guess_columns(header)
    # Conversations, and instructions with what they are about, are for the reader to recognise.
    instruction = {"instruction", "output"} <= {*map(str.casefold, header)}
    if instruction or not {"question", "answer"} <= guessed.keys():
        return {"question": "question", "answer": "answer"}
    return guessed


def guess_columns(header: Sequence[str]) -> dict[str, str]:
    """Return the likely columns of a header, by what they are.

    Args:
        header: The names of a sheet's columns.
    """
    found: dict[str, str] = {}
    for key, names in _NAMES.items():
        free = [name for name in header if name not in found.values()]
        exact = [each for name in names.split() for each in free if each.casefold() == name]
        inside = [
            each
            for name in names.split()
            for each in free
            if len(name) > 1 and name in each.casefold()
        ]
        if both := [*exact, *inside]:
            found[key] = both[0]
    return found


def _header(sheet: Path) -> list[str]:
    """Return the names of a sheet's columns, as the reader tells them to whoever names others."""
    from kd_kedro.datasets.qa_sheet import QASheetDataset

    nowhere = {"question": _NOWHERE, "answer": f"{_NOWHERE}{_NOWHERE}"}
    try:
        QASheetDataset(str(sheet), columns=nowhere).load()
    except Exception as error:
        told = sentence(error).partition(", only ")[2].partition("; ")[0]
        return [one or other for one, other in re.findall(r"'([^']*)'|\"([^\"]*)\"", told)]
    return []


def _figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    events = pd.concat([tables["preprocessing_events"], tables["filtering_events"]])
    dropped = Counter(map(_why_dropped, *_columns(events, "dropped")))
    reasons = Counter(map(kind_of, events.loc[events["action"] == "quarantined", "reason"]))
    return {
        "rows": int((events["stage"] == "validation").sum()),
        "kept": len(tables[_TABLES[-1]]),
        "dropped": {why: dropped[why] for why in DROPPED},
        "quarantined": dict(reasons.most_common()),
        "changed": _changed(events, tables),
    }


def _columns(events: pd.DataFrame, action: str) -> tuple[list[str], list[str]]:
    some = events[events["action"] == action]
    return some["stage"].tolist(), some["reason"].tolist()


def _why_dropped(stage: str, reason: str) -> str:
    if stage == "deduplication":
        return "exact_copy" if reason == EXACT else "near_copy"
    return {"soap": "off_topic", "review": "rejected"}[stage]


def _changed(events: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return how many characters cleaning changed in all rows, later stages in those kept."""
    changed = Counter(dict.fromkeys(CHANGED, 0))
    for text in events.loc[events["stage"] == "cleaning", "evidence"]:
        for made in json.loads(text)["repairs"] if text else []:
            changed[_KIND_OF_REPAIR.get(made["repair"], "other")] += made["characters"]
    kept = set(tables[_TABLES[-1]]["row_id"])
    texts = [_texts(tables[name], kept) for name in _TABLES]
    for before, after in pairwise(texts):
        for place, text in after.items():
            if text != before[place]:
                changed["other"] += changed_characters(changed_spans(before[place], text))
    return dict(changed)


def _texts(table: pd.DataFrame, rows: set[str]) -> dict[tuple[str, str], str]:
    return {
        (row["row_id"], column): row[column]
        for row in table.to_dict("records")
        if row["row_id"] in rows
        for column in ("question", "answer")
    }


def print_table(figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a line for each sheet; reasons of quarantine and errors below."""
    header = ["sheet", "rows", "kept", *DROPPED, "quarantined", *CHANGED]
    lines = [header]
    for name, each in figures.items():
        if "error" not in each:
            counts = [each["rows"], each["kept"], *each["dropped"].values()]
            counts += [sum(each["quarantined"].values()), *each["changed"].values()]
            lines.append([name, *map(str, counts)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for name, *counts in lines:
        cells = [n.rjust(width) for n, width in zip(counts, widths[1:], strict=True)]
        print("  ".join([name.ljust(widths[0]), *cells]))
    for name, each in figures.items():
        if "error" in each:
            print(f"{name}: failed: {each['error']}")
        for reason, count in each.get("quarantined", {}).items():
            print(f"{name}: {count} quarantined: {reason}")


if __name__ == "__main__":
    run(main)
