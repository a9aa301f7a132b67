"""Records of the first sheet of an XLSX file, every cell as the text that it shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kd_kedro.datasets.delimited import Record, check_cell_size
from kd_kedro.text.number_format import is_number, shown


def records(path: Path) -> Iterator[Record]:
    """Yield the non-empty rows of the first sheet of an XLSX file; `line` is the row's number.

    Numbers and dates are as their format shows them (`7%`, `00042`), short dates ISO, empty cells
    ''. A formula counts as the value stored with it; one without, and an error such as #N/A, is a
    damaged cell.

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
    for number, (cells, damaged) in enumerate(rows, start=1):
        while cells and not cells[-1]:
            cells.pop()
        for column, cell in enumerate(cells, start=1):
            check_cell_size(path, number, column, cell)
        if cells or damaged:
            yield Record(number, cells, "", "\t".join(cells), damaged)


def to_text(value: Any, number_format: str = "General") -> str:
    """Return the text that a cell with this value and format shows."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if is_number(value):
        return shown(value, number_format)
    # Excel writes the line end of a cell that came from Windows as _x000D_ and a line feed.
    return str(value).replace("_x000D_", "\r")


def _read_rows(path: Path) -> list[tuple[list[str], dict[int, str]]]:
    """Return the texts of the cells, and by place why a cell is damaged, row by row."""
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
                [
                    # An empty cell has no format.
                    "" if cell.value is None else to_text(cell.value, cell.number_format)
                    for cell in values
                ],
                {
                    place: why
                    for place, (value, source) in enumerate(zip(values, formulas, strict=True))
                    if (why := _damage(value, source))
                },
            )
            for values, formulas in zip(sheets[0].iter_rows(), sheets[1].iter_rows(), strict=True)
        ]
    finally:
        stored.close()
        written.close()


def _damage(value: Any, source: Any) -> str:
    if source.data_type == "f" and value.value is None:
        return (
            "the formula there has no stored value: open the sheet in a spreadsheet program and "
            "save it again"
        )
    if value.data_type == "e":
        return f"the cell shows the error {value.value}"
    return ""
