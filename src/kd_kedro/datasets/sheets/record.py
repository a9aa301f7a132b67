"""What every reader of a sheet gives: records with the line or row where they start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

MAX_CELL_BYTES = 1_000_000


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


class Sheet(NamedTuple):
    """The records of a sheet, the header among the first of them.

    Attributes:
        name: File and, of a workbook, sheet, as messages name them.
        source: The same without folders, as tables name it.
        unit: What `Record.line` counts: `line` or `row`.
        records: All records; what stands above the header too.
        ragged: Whether cells at the end of a record may be missing.
        typed: Whether the file tells a yes or no from a text (TRUE is a check box).
        notes: What a user should know of how the sheet was read, as sentences.
    """

    name: str
    source: str
    unit: str
    records: list[Record]
    ragged: bool = False
    typed: bool = False
    notes: Sequence[str] = ()

    def place(self, record: Record) -> str:
        """Return where a record stands, for messages; a header of keys stands nowhere."""
        return f"{self.name}, {self.unit} {record.line}" if record.line else self.name


def check_cell_size(path: Path, line: int, column: int, cell: str) -> None:
    """Raise where a cell is larger than `MAX_CELL_BYTES`, naming line and column."""
    if (
        4 * len(cell) > MAX_CELL_BYTES
        and (size := len(cell.encode("utf-8", "surrogatepass"))) > MAX_CELL_BYTES
    ):
        raise ValueError(
            f"{path}, line {line}, column {column}: a cell of {size / 1e6:.1f} MB, at most "
            f"{MAX_CELL_BYTES / 1e6:.0f} MB is allowed; look for a quote that is not closed, or "
            "shorten the text"
        )
