"""Input files of benchmarks: sheets as the pipeline reads them, labelled pairs, any CSV file."""

import csv
import io
import sys
from pathlib import Path

import pandas as pd

from kd_kedro.curation.records.contract import identify
from kd_kedro.datasets.qa_sheet import QASheetDataset

COLUMNS = {
    "question": "Question",
    "answer": "Answer",
    "verdict": "Classification",
    "correction": "Correction_Question",
    "remarks": "Remarks",
}


def read_sheet(path: Path) -> pd.DataFrame:
    """Return the rows of a sheet that have a question, an answer and all their cells, in order.

    Returns:
        Text columns `row_id, line, question, answer, verdict, correction, remarks` and bool
        `rejected`, the reviewers' verdict.
    """
    raw = identify(QASheetDataset(str(path), columns=COLUMNS).load())
    whole = (raw["defect"] == "") & (raw["question"].str.strip() != "")
    rows = raw[whole & (raw["answer"].str.strip() != "")].reset_index(drop=True)
    return rows.assign(rejected=rows["verdict"].str.strip().str.casefold() == "no")


def read_records(path: Path, delimiter: str = ",") -> list[list[str]]:
    """Return the records of a CSV file, empty lines included, as they stand.

    Raises:
        ValueError: The file is not CSV in UTF-8.
    """
    csv.field_size_limit(sys.maxsize)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("it holds a NUL byte")
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f"{path} cannot be read as CSV in UTF-8 ({error}): save it as such"
        ) from error


def read_pairs(path: Path) -> pd.DataFrame:
    """Return text columns `question_1, question_2, label` of a CSV file; the label is 0 or 1.

    Raises:
        ValueError: The file is not there or not of this form.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: give a CSV file of labelled pairs")
    names, *records = read_records(path) or [[]]
    columns = ["question_1", "question_2", "label"]
    if missing := [name for name in columns if name not in names]:
        raise ValueError(f"{path} has no column {missing[0]}: pairs have {', '.join(columns)}")
    kept = []
    for number, record in enumerate(records, start=2):
        if not any(record):
            continue
        if len(record) != len(names):
            raise ValueError(
                f"{path}, row {number}: {len(record)} cells where the header has {len(names)}; "
                "correct it"
            )
        cells = dict(zip(names, record, strict=True))
        if cells["label"] not in ("0", "1"):
            raise ValueError(f"{path}, row {number}: the label is neither 0 nor 1; correct it")
        kept.append([cells[name] for name in columns])
    if not kept:
        raise ValueError(f"{path} has a header and no pairs: add pairs below it")
    return pd.DataFrame(kept, columns=columns)
