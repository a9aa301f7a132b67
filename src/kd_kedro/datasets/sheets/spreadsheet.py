"""Records of one sheet of an XLSX file, every cell as the text that it shows."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import iterparse

from kd_kedro.datasets.sheets.header import (
    DEPTH,
    REQUIRED,
    column_name,
    find_headers,
    likely_header,
)
from kd_kedro.datasets.sheets.number_format import is_number, shown, shown_text
from kd_kedro.datasets.sheets.record import Record, Sheet, check_cell_size

_HEAD = 5 * DEPTH  # rows of each sheet, blank ones too, that tell which one is meant
NO_VALUE = "the formula there has no stored value; save the sheet in Excel"


# What XML cannot hold, as the line end of a cell that came from Windows: _x000D_ (ST_Xstring).
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class _Layout(NamedTuple):
    """What a sheet's cells do not tell: by row the merged ranges, and what is hidden."""

    merged: Mapping[int, list[Any]]
    ranges: list[str]
    hidden_rows: int
    hidden_columns: list[str]


def read(path: Path, names: Mapping[str, str], sheet: str) -> Sheet:
    """Return the non-empty rows of one sheet; `Record.line` is the row's number.

    Numbers and dates are as their format shows them (`7%`, `00042`), short dates ISO, empty cells
    ''. A formula counts as the value stored with it; one without, an error such as #N/A, and a cell
    that is merged with another are damaged cells.

    Args:
        path: The file.
        names: The sheet's column name by canonical name; they tell which sheet is meant.
        sheet: Name of the sheet, in any case; '' for the only visible one that has the columns of
            question and answer, or the first sheet where it is one of several that have them.

    Raises:
        ValueError: The file is no readable XLSX, no sheet or more than one is meant, or a cell is
            too large.
    """
    import openpyxl

    try:
        stored = openpyxl.load_workbook(path, read_only=True, data_only=True)
        written = openpyxl.load_workbook(path, read_only=True)
        try:
            # The dimension some programs write is wrong, and openpyxl would cut rows to it.
            for each in (*stored.worksheets, *written.worksheets):
                each.reset_dimensions()
            heads = {
                each.title: list(_rows(each.iter_rows(max_row=_HEAD))) for each in stored.worksheets
            }
            hidden = {each.title for each in stored.worksheets if each.sheet_state != "visible"}
            chosen, notes = _choose(path, heads, hidden, names, sheet)
            layout = _layout(stored[chosen])
            records = list(
                _rows(stored[chosen].iter_rows(), written[chosen].iter_rows(), layout.merged)
            )
        finally:
            stored.close()
            written.close()
    except _ChoiceError as error:
        raise ValueError(str(error)) from None
    # A damaged archive or XML fails deep inside zipfile, openpyxl or expat, each in its own way.
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as XLSX ({type(error).__name__}: {str(error)[:80]}): "
            "open it in a spreadsheet program and save it again"
        ) from error
    for record in records:
        for column, cell in enumerate(record.cells, start=1):
            check_cell_size(path, record.line, column, cell)
    return Sheet(
        f"{path}, sheet {chosen!r}",
        f"{path.name}, sheet {chosen}",
        "row",
        _with_whole_header(records, layout, names),
        ragged=True,
        typed=True,
        notes=[*notes, *_notes(layout)],
    )


def to_text(value: Any, number_format: str = "General") -> str:
    """Return the text that a cell with this value and format shows."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if is_number(value):
        return shown(value, number_format)
    return shown_text(_ESCAPED.sub(_unescaped, str(value)), number_format)


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return found[0] if code == 0 or 0xD800 <= code < 0xE000 else chr(code)


class _ChoiceError(Exception):
    """No sheet of a workbook is the one that is meant."""


def _choose(
    path: Path,
    heads: Mapping[str, Sequence[Record]],
    hidden: set[str],
    names: Mapping[str, str],
    asked: str,
) -> tuple[str, list[str]]:
    """Return the sheet that is meant, and what is to be said of the others."""
    listed = ", ".join(f"{each!r}{' (hidden)' if each in hidden else ''}" for each in heads)
    if asked:
        for title in heads:
            if title.casefold() == asked.strip().casefold():
                return title, _others(path, heads, title)
        raise _ChoiceError(
            f"{path} has no sheet {asked!r}: it has {listed}; correct qa_sheet in globals.yml or "
            "by --params qa_sheet=NAME"
        )
    filled = [each for each, records in heads.items() if records and each not in hidden]
    headers = {each: head for each in filled if (head := find_headers(heads[each], names))}
    # Names that were asked for count more than names that are known.
    found = [each for each in headers if not headers[each][0].guessed] or [*headers]
    if len(found) == 1 or (found and found[0] == filled[0]):
        return found[0], _others(path, heads, found[0])
    columns = f"{names['question']!r} and {names['answer']!r}"
    if found:
        both = ", ".join(map(repr, found))
        raise _ChoiceError(
            f"{path} has the columns {columns} in the sheets {both}: name one of them in qa_sheet "
            "of globals.yml or by --params qa_sheet=NAME"
        )
    if len([each for each in heads if heads[each]]) > 1:
        there = "; ".join(f"{each!r} has {_columns(heads[each])}" for each in filled[:3])
        raise _ChoiceError(
            f"{path} has the columns {columns} in none of its sheets {listed}: {there}; set "
            "columns in globals.yml, or name a hidden sheet by --params qa_sheet=NAME"
        )
    return next(iter(filled or heads)), []


def _columns(records: Sequence[Record]) -> str:
    return ", ".join(repr(cell) for cell in records[likely_header(records)].cells if cell)


def _others(path: Path, heads: Mapping[str, Sequence[Record]], chosen: str) -> list[str]:
    others = ", ".join(
        repr(title) for title, records in heads.items() if records and title != chosen
    )
    return [f"{path.name} has other sheets, which are not read: {others}"] if others else []


def _layout(sheet: Any) -> _Layout:
    """Read what openpyxl does not tell of a sheet that is read as a stream."""
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.cell_range import CellRange

    merged: dict[int, list[Any]] = defaultdict(list)
    ranges, rows, columns = set(), 0, []
    with sheet._get_source() as source:
        for _, element in iterparse(source):
            tag = element.tag.rpartition("}")[2]
            hidden = element.get("hidden") in ("1", "true")
            if tag == "row":
                rows += hidden and len(element) > 0
                element.clear()  # or the whole sheet stays in memory
            elif tag == "col" and hidden:
                # A range of hidden columns may reach to the last one a sheet can have.
                first, last = int(element.get("min", 1)), int(element.get("max", 1))
                columns += [get_column_letter(n) for n in range(first, min(last, first + 99) + 1)]
            elif tag == "mergeCell":
                area = CellRange(element.get("ref", ""))
                ranges.add((area.min_row, area.min_col, area.coord))
                for row in range(area.min_row, area.max_row + 1):
                    merged[row].append(area)
    return _Layout(merged, [coord for *_, coord in sorted(ranges)], rows, columns)


def _with_whole_header(
    records: list[Record], layout: _Layout, names: Mapping[str, str]
) -> list[Record]:
    """Return the records with the header in one, where it is merged down over several rows."""
    found = find_headers(records, names)
    if not found:
        return records
    header = records[found[0].at]
    cells = [column_name(cell) for cell in header.cells]
    own = [cells.index(found[0].names[key]) + 1 for key in REQUIRED]
    ends = [
        area.max_row
        for area in layout.merged.get(header.line, ())
        if area.min_row == header.line and area.min_col in own
    ]
    below = [record for record in records if header.line < record.line <= max(ends, default=0)]
    for record in below:
        cells = [under or over for over, under in zip_longest(cells, record.cells, fillvalue="")]
    at = found[0].at
    return [*records[:at], header._replace(cells=cells), *records[at + 1 + len(below) :]]


def _notes(layout: _Layout) -> list[str]:
    notes = []
    if layout.ranges:
        more = f" and {len(layout.ranges) - 1} more" if len(layout.ranges) > 1 else ""
        notes.append(
            f"cells are merged ({layout.ranges[0]}{more}): their text counts for the first row "
            "alone, and rows that lack it are set aside; unmerge them and fill in each row to "
            "read all"
        )
    if layout.hidden_rows:
        notes.append(f"hidden rows are read too ({layout.hidden_rows})")
    if layout.hidden_columns:
        notes.append(f"hidden columns ({', '.join(layout.hidden_columns[:5])}) count as others do")
    return notes


def _rows(
    values: Iterator[Any],
    sources: Iterator[Any] | None = None,
    merged: Mapping[int, list[Any]] | None = None,
) -> Iterator[Record]:
    """Yield the rows that hold something.

    Args:
        values: Rows of cells with the stored values.
        sources: The same rows with the formulas, to know those without a value.
        merged: The merged ranges by row.
    """
    for number, row in enumerate(values, start=1):
        # An empty cell has no format.
        cells = [
            "" if cell.value is None else to_text(cell.value, cell.number_format) for cell in row
        ]
        formulas = next(sources) if sources else [None] * len(cells)
        damaged = {
            place: why
            for place, (value, source) in enumerate(zip(row, formulas, strict=True))
            if (why := _damage(value, source, cells[place]))
        }
        while cells and not cells[-1]:
            cells.pop()
        if cells or damaged:
            damaged |= _merged_places(number, (merged or {}).get(number, ()))
            yield Record(number, cells, "", "\t".join(cells), damaged)


def _merged_places(row: int, areas: Sequence[Any]) -> dict[int, str]:
    """Return by place why a cell of a merged range says nothing: all but its first one."""
    return {
        column - 1: f"merged with {area.coord.partition(':')[0]}, so it has no text of its own"
        for area in areas
        for column in range(area.min_col, area.max_col + 1)
        if (row, column) != (area.min_row, area.min_col)
    }


def _damage(value: Any, source: Any, text: str) -> str:
    if source is not None and source.data_type == "f" and value.value is None:
        return NO_VALUE
    if value.data_type == "e":
        return f"the cell shows the error {value.value}"
    if value.value not in (None, "") and not text:
        return "the number format of the cell shows nothing of it"
    return ""
