"""Records of a delimited text file (CSV, semicolons, tabs), each with the line where it starts.

The standard `csv` module is not used because it cannot say where a record or an open quote
starts, and because it swallows NUL bytes and text after a closing quote.
"""

import codecs
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

MAX_CELL_BYTES = 1_000_000
DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 50  # records that are cut on trial, to tell a delimiter

_NEWLINE = re.compile(r"\r\n|\r|\n")
# Excel's line above the header, which names the delimiter.
_SEP_LINE = re.compile(r'"?sep=([^\r\n"])"?[ ,;\t]*(?:\r\n|\r|\n)', re.IGNORECASE)
_SPACES = re.compile(" *")
_QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Record(NamedTuple):
    """One record of a sheet.

    Attributes:
        line: 1-based physical line (or spreadsheet row) where the record starts.
        cells: Its cells as text, never None.
        defect: Why it breaks the contract, as a sentence; '' where it does not.
        raw: Its text as it stands in the file.
        damaged: By place of a cell, why nobody can tell what it says.
    """

    line: int
    cells: list[str]
    defect: str
    raw: str
    damaged: Mapping[int, str] = MappingProxyType({})


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, with or without byte order mark.

    Raises:
        ValueError: The file is empty, not UTF-8, or holds a NUL byte; names the line.
    """
    data = path.read_bytes()
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise ValueError(f"{path} is empty: give a sheet with a header line and rows")
    if data.startswith(_UTF16):
        raise ValueError(
            f"{path} is UTF-16 (its byte order mark says so at line 1): save it as UTF-8"
        )
    if data.startswith(b"PK\x03\x04"):
        raise ValueError(f"{path} is a spreadsheet by content: give it the ending .xlsx")
    if (nul := data.find(b"\0")) >= 0:
        raise ValueError(
            f"{path}, line {_line_of(data, nul)}: NUL byte at offset {nul}, which no "
            "text has; save the sheet as UTF-8"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # utf-8-sig counts from behind the mark.
        start = error.start + 3 * data.startswith(codecs.BOM_UTF8)
        raise ValueError(
            f"{path}, line {_line_of(data, start)}: byte 0x{data[start]:02x} at offset {start} is "
            "not UTF-8; save the sheet as UTF-8 (in Excel: CSV UTF-8)"
        ) from error


def find_delimiter(path: Path, text: str, names: Collection[str]) -> str:
    """Return the delimiter of a text: what its `sep=` line says, else the one that fits best.

    One fits better that cuts out more columns of the given names; then, more records with as many
    cells as the header; then, more cells of the header.

    Args:
        path: File name for messages.
        text: The whole text.
        names: Names that the header may hold.

    Raises:
        ValueError: The header is no record with any delimiter.
    """
    if said := _SEP_LINE.match(text):
        return said[1]
    return max(DELIMITERS, key=lambda mark: _fit(path, text, mark, names))


def _fit(path: Path, text: str, mark: str, names: Collection[str]) -> tuple[int, int, int]:
    found = records(path, text, mark)
    header = next(found).cells
    even = 0
    with suppress(ValueError):  # a record that is none with any delimiter is told of later
        even = sum(len(each.cells) == len(header) for each in islice(found, SAMPLE))
    known = sum(cell.strip() in names for cell in header)
    return known, even if len(header) > 1 else 0, len(header)


def records(path: Path, text: str, delimiter: str) -> Iterator[Record]:
    """Yield the records of a delimited text; blank lines are none.

    Quotes follow RFC 4180: special at the start of a cell only, doubled inside a quoted one.
    Spaces before and after the quotes of a cell belong to no cell. Text after a closing quote on
    the line where it opened makes the record defective, and the record then ends with that line.

    Args:
        path: File name for messages.
        text: The whole text.
        delimiter: One character.

    Raises:
        ValueError: A quote never closes, or a cell is larger than `MAX_CELL_BYTES`.
    """
    cell_end = re.compile(f"[{re.escape(delimiter)}\r\n]")
    position, line = 0, 1
    if said := _SEP_LINE.match(text):
        position, line = said.end(), 2
    while position < len(text):
        if newline := _NEWLINE.match(text, position):
            position, line = newline.end(), line + 1
            continue
        record, position, line = _read_record(path, text, position, line, delimiter, cell_end)
        yield record


def check_cell_size(path: Path, line: int, column: int, cell: str) -> None:
    """Raise where a cell is larger than `MAX_CELL_BYTES`, naming line and column."""
    if 4 * len(cell) > MAX_CELL_BYTES and (size := len(cell.encode())) > MAX_CELL_BYTES:
        raise ValueError(
            f"{path}, line {line}, column {column}: a cell of {size / 1e6:.1f} MB, at most "
            f"{MAX_CELL_BYTES / 1e6:.0f} MB is allowed; look for a quote that is not closed, or "
            "shorten the text"
        )


def _read_record(
    path: Path, text: str, start: int, line: int, delimiter: str, cell_end: re.Pattern[str]
) -> tuple[Record, int, int]:
    """Return the record at `start`, and the position and line behind its line end."""
    cells: list[str] = []
    position, first_line, defect = start, line, ""
    while True:
        position = _quote_behind_spaces(text, position, cell_end)
        if text.startswith('"', position):
            cell, end = _read_quoted(path, text, position, line)
            opened, line = line, line + _newlines(text, position, end)
            end = _SPACES.match(text, end).end()  # type: ignore[union-attr]
            if end < len(text) and not cell_end.match(text, end):
                _check_stray(path, opened, line)
                defect = (
                    f"text after the closing quote of cell {len(cells) + 1}: "
                    "double the quotes inside a quoted cell"
                )
                found = _NEWLINE.search(text, end)
                end = found.start() if found else len(text)
        else:
            found = cell_end.search(text, position)
            end = found.start() if found else len(text)
            cell = text[position:end]
        cells.append(cell)
        check_cell_size(path, first_line, len(cells), cell)
        if not defect and text.startswith(delimiter, end):
            position = end + len(delimiter)
            continue
        newline = _NEWLINE.match(text, end)
        record = Record(first_line, cells, defect, text[start:end])
        return record, newline.end() if newline else end, line + 1


def _quote_behind_spaces(text: str, start: int, cell_end: re.Pattern[str]) -> int:
    """Return where the quoted cell begins that has spaces before its quote; else `start`.

    It is one only where nothing but spaces stands behind its closing quote: in ` 5" and 6"` the
    quotes are text.
    """
    quote = _SPACES.match(text, start).end()  # type: ignore[union-attr]
    if quote == start or not text.startswith('"', quote):
        return start
    closed = _QUOTED.match(text, quote)
    if closed is None:
        return start
    end = _SPACES.match(text, closed.end()).end()  # type: ignore[union-attr]
    return quote if end == len(text) or cell_end.match(text, end) else start


def _read_quoted(path: Path, text: str, start: int, line: int) -> tuple[str, int]:
    """Return the content of the quoted cell at `start` and the position behind its last quote."""
    position = start + 1
    while (quote := text.find('"', position)) >= 0:
        if not text.startswith('"', quote + 1):
            return text[start + 1 : quote].replace('""', '"'), quote + 1
        position = quote + 2
    raise ValueError(
        f"{path}, line {line}: the quote opened here is never closed; close it, or double it if "
        "it belongs to the text"
    )


def _check_stray(path: Path, opened: int, closed: int) -> None:
    # A quote that was never closed swallows lines up to the opening quote of some later cell.
    if closed > opened:
        raise ValueError(
            f"{path}, line {opened}: the quote opened here is not closed (the next quote, on line "
            f"{closed}, opens another cell); close it, or double it if it belongs to the text"
        )


def _newlines(text: str, start: int, end: int) -> int:
    return sum(1 for _ in _NEWLINE.finditer(text, start, end))


def _line_of(data: bytes, offset: int) -> int:
    return len(re.findall(rb"\r\n|\r|\n", data[:offset])) + 1
