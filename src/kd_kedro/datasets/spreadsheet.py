"""Records of the first sheet of an XLSX file, every cell as the text a person typed."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kd_kedro.datasets.delimited import Record, check_cell_size


def records(path: Path) -> Iterator[Record]:
    """Yield the non-empty rows of the first sheet of an XLSX file; `line` is the row's number.

    Numbers keep their shortest form (7 is `7`, text 007 is `007`), dates are ISO, empty cells ''.
    A formula counts as the value stored with it; one without makes its row defective.

    Raises:
        ValueError: The file is no readable XLSX, or a cell is too large.
    """
    try:
        rows = _read_rows(path)
    # A damaged archive or XML fails deep inside zipfile, openpyxl or expat, each in its own way.
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as XLSX ({type(error).__name__}: {str(error)[:80]}): "
            "open it in a spreadsheet program and save it again"
        ) from error
    for number, (values, formulas) in enumerate(rows, start=1):
        cells = [to_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        for column, cell in enumerate(cells, start=1):
            check_cell_size(path, number, column, cell)
        if cells or formulas:
            defect = (
                f"the formula in column {formulas[0]} has no stored value: open the sheet in a "
                "spreadsheet program and save it again"
                if formulas
                else ""
            )
            yield Record(number, cells, defect, "\t".join(cells))


def to_text(value: Any) -> str:
    """Return the text of a spreadsheet value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        day = value.time() == datetime.time()
        return value.date().isoformat() if day else value.isoformat(sep=" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    # Excel writes the line end of a cell that came from Windows as _x000D_ and a line feed.
    return str(value).replace("_x000D_", "\r")


def _read_rows(path: Path) -> list[tuple[list[Any], list[int]]]:
    """Return values, and the 1-based columns of formulas without a stored value, row by row."""
    import openpyxl

    stored = openpyxl.load_workbook(path, read_only=True, data_only=True)
    written = openpyxl.load_workbook(path, read_only=True)
    try:
        sheets = stored.worksheets[0], written.worksheets[0]
        for sheet in sheets:
            # The dimension some programs write is wrong, and openpyxl would cut rows to it.
            sheet.reset_dimensions()
        return [
            (
                [cell.value for cell in values],
                [
                    column
                    for column, (value, source) in enumerate(
                        zip(values, formulas, strict=True), start=1
                    )
                    if source.data_type == "f" and value.value is None
                ],
            )
            for values, formulas in zip(sheets[0].iter_rows(), sheets[1].iter_rows(), strict=True)
        ]
    finally:
        stored.close()
        written.close()
