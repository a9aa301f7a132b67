"""Sheets written for a test, and what is read of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from kedro.io import DatasetError

from kd_kedro.datasets.qa_sheet import QASheetDataset

COLUMNS = {
    "question": "Question",
    "answer": "Answer",
    "verdict": "Classification",
    "correction": "Correction_Question",
    "remarks": "Remarks",
}
HEADER = ["Question", "Answer", "Classification"]


def write(folder: Path, content: str | bytes, name: str = "sheet.csv") -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def workbook(
    folder: Path,
    sheets: dict[str, Sequence[Sequence[Any]]],
    change: Callable[[openpyxl.Workbook], object] = lambda book: None,
) -> str:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    change(book)
    book.save(folder / "sheet.xlsx")
    return str(folder / "sheet.xlsx")


def load(path: str, **options: Any) -> pd.DataFrame:
    return QASheetDataset(path, options.pop("columns", COLUMNS), **options).load()


def pairs(rows: pd.DataFrame) -> list[list[str]]:
    return rows[["question", "answer"]].to_numpy().tolist()  # type: ignore[no-any-return]


def sentence(path: str, **options: Any) -> str:
    """Return the innermost message of the failed load."""
    with pytest.raises(DatasetError) as caught:
        load(path, **options)
    inner: BaseException = caught.value
    while isinstance(inner, DatasetError):
        assert inner.__cause__ is not None
        inner = inner.__cause__
    assert isinstance(inner, ValueError | OSError)
    assert "\n" not in str(inner)
    return str(inner)
