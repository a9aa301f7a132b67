"""The user's question-answer sheet in any of its formats, read strictly, never written."""

import logging
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset

from kd_kedro.curation.records.schema import CELLS, CONTEXT, OWN, RAW, SYSTEM, TEACHER, table
from kd_kedro.curation.relevance.scores import QUEUE
from kd_kedro.datasets.previews import TablePreview
from kd_kedro.datasets.sheets import columnar, delimited, keyed, spreadsheet
from kd_kedro.datasets.sheets.conversation import TOLD
from kd_kedro.datasets.sheets.header import (
    REQUIRED,
    Header,
    column_name,
    find_headers,
    likely_header,
)
from kd_kedro.datasets.sheets.record import Record, Sheet
from kd_kedro.datasets.sheets.row import OPTION_LABELS, Columns, read_row
from kd_kedro.training.examples import EXAMPLE_COLUMNS

logger = logging.getLogger(__name__)

# Columns that hold one option of a multiple-choice question each.
OPTIONS = "options"
TEXT_ENDINGS = (".csv", ".tsv", ".txt")
WORKBOOK_ENDINGS = (".xlsx", ".xlsm")
JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
ENDINGS = (*TEXT_ENDINGS, *WORKBOOK_ENDINGS, *JSON_ENDINGS, ".parquet")
_OPTIONAL = {"verdict", "correction", "remarks"}
# The columns of a mended copy of quarantined_rows or same_question_diff_answers.
MENDED = ["row_id", *RAW]
QUEUE_MARK = "why"  # a column that only `kedro review-queue` writes
# What a column of the sheet can be beside the columns that curation and training have of their own.
_ROLES = [*CELLS, OPTIONS, CONTEXT, TEACHER, SYSTEM]
_TAKEN = {*OWN, *QUEUE, *EXAMPLE_COLUMNS, "messages", "outcome"} - {CONTEXT, TEACHER}
_NEAR = 0.83  # of a name to one of a role, from which on it is one mistyped: two letters exchanged


class QASheetDataset(AbstractDataset[None, pd.DataFrame]):  # type: ignore[misc]
    """A sheet of questions and answers as a table of text, one row a record.

    All cells are text: no value means "missing", `None`, `NA` and `007` stay what they are. The
    delimiter of a text file (comma, semicolon, tab, bar) is the one that fits it best, or the one
    of its `sep=` line. The header may stand below a title. A record with too many or too few cells,
    or one that is no JSON object, comes out with its `defect` and its `raw` text. What is read from
    where goes to the log.
    """

    def __init__(
        self,
        filepath: str | None,
        columns: Mapping[str, str | Sequence[str] | None] | None = None,
        optional: bool = False,
        sheet: str | int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe a sheet.

        Args:
            filepath: A file with one of `ENDINGS`, or a folder that Hugging Face `datasets` saved
                or that has Parquet files. '' or None where `optional`.
            columns: The sheet's column name for question, answer, verdict, correction, remarks;
                the last three may be absent or None. `options` may list the columns that hold one
                option each: they come out below the question, as "(a) …". Any other key names a
                further column, which comes out under that key: `context`, which only a teacher
                reads, `teacher`, whose targets a row learns from, `system`, what a model is told
                before the question (system messages of conversations come out there unless it
                is None), and fields of a prompt.
            optional: Read a mended copy (with `row_id` and the columns of `quarantined_rows`);
                without a path, an empty table.
            sheet: Name of the sheet of a workbook, empty for the one that has the columns; or the
                split of a dataset folder.
            metadata: Metadata for kedro-viz; not used here.
        """
        self._filepath = Path(filepath) if filepath else None
        self._columns = dict(columns or {})
        self._optional = optional
        self._sheet = "" if sheet is None else str(sheet)
        self.metadata = metadata

    @property
    def files(self) -> list[Path]:
        """The files that the sheet is read from: one, or all of a dataset folder."""
        if self._filepath is None or self._is_unset():
            return []
        if self._filepath.is_dir():
            return columnar.folder_files(self._filepath)
        return [self._filepath] if self._filepath.is_file() else []

    def load(self) -> pd.DataFrame:
        """Return the sheet's records.

        Returns:
            Text columns `line, source, question, answer, verdict, correction, remarks, defect,
            raw`, then the further ones, without white space at their ends; where `optional`,
            `row_id` before them, and of the further ones those that the copy has. `line` is the
            1-based line where the record starts; of a mended row it is the line in the sheet it
            came from.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file breaks the contract; the sentence names line and column.
        """
        if self._optional and self._is_unset():
            return table(MENDED)
        path = self._checked_path()
        asked = self._mended_names() if self._optional else self._mapped_names(path)
        sheet = _read(path, asked, self._sheet)
        found = _find_header(sheet, asked)
        options = [] if self._optional else self._option_names()
        read = {*found.names.values(), found.about, *options} - {""}
        header, rows = _split_header(sheet, found.at, read)
        if self._optional:
            _check_judged(sheet, header.cells, rows)
        places = _find_columns(sheet, header, found.names, mended=self._optional)
        if TOLD in header.cells and SYSTEM not in self._columns:
            places[SYSTEM] = header.cells.index(TOLD)
        below = _places_of(sheet, header, options)
        for line in _said(sheet, found, header, rows, [*places.values(), *below]):
            logger.info(line)
        about = header.cells.index(found.about) if found.about else None
        columns = Columns(header.cells, places, about, below)
        records = [read_row(sheet, record, columns) for record in rows]
        if self._optional:
            _check_mended(sheet, rows, records)
        own = MENDED if self._optional else RAW
        further = [key for key in {**self._further(), SYSTEM: ""} if key in places]
        cells = [
            [*(row.get(key, "") for key in own), *(row[key].strip() for key in further)]
            for row in records
        ]
        return table([*own, *further], cells)

    def save(self, data: None) -> NoReturn:
        """Refuse: the sheet is the user's file.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f"raw_qa is the user's file {self._filepath}: no pipeline writes it")

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for kedro-viz."""
        return TablePreview(self.load().head(nrows).to_dict(orient="split"))

    def _describe(self) -> dict[str, Any]:
        return {
            "filepath": str(self._filepath) if self._filepath else None,
            "columns": self._columns,
            "optional": self._optional,
            "sheet": self._sheet,
        }

    def _exists(self) -> bool:
        return self._is_unset() if self._optional else self._is_file()

    def _is_file(self) -> bool:
        return self._filepath is not None and self._filepath.exists()

    def _is_unset(self) -> bool:
        # Kedro makes the project folder of a relative path '', so that folder means "no path".
        return self._filepath is None or (self._filepath / "pyproject.toml").is_file()

    def _checked_path(self) -> Path:
        path = self._filepath
        if path is None:
            raise ValueError("qa_csv is empty: set it in globals.yml or by --params qa_csv=PATH")
        if not path.exists():
            raise FileNotFoundError(
                f"{path} does not exist: correct the path (relative ones start at the project)"
            )
        if path.is_file() and path.suffix.lower() not in ENDINGS:
            raise ValueError(
                f"{path} ends in {path.suffix or 'nothing'!r}, which is not read: save the sheet "
                f"as {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
            )
        return path

    def _mapped_names(self, path: Path) -> dict[str, str]:
        """Return the sheet's column name by canonical name."""
        cells = {key: column_name(self._columns[key]) for key in CELLS if self._columns.get(key)}
        names = cells | self._further()
        for key in REQUIRED:
            if key not in names:
                raise ValueError(
                    f"columns in globals.yml has no {key}: say which column of {path} it is"
                )
        used = [*names.values(), *self._option_names()]
        for key, name in names.items():
            if used.count(name) > 1:
                raise ValueError(
                    f"columns in globals.yml gives {name!r} to {key} and to another key: "
                    "each needs a column of its own"
                )
        return names

    def _further(self) -> dict[str, str]:
        """Return the sheet's column name by that of each further column."""
        named = {str(key): name for key, name in self._columns.items() if name}
        further = {key: column_name(named[key]) for key in named if key not in (*CELLS, OPTIONS)}
        for key in further:
            _check_name(key)
        return further

    def _option_names(self) -> list[str]:
        """Return the names of the columns that hold options."""
        names = self._columns.get(OPTIONS) or ()
        if isinstance(names, str) or len(names) > len(OPTION_LABELS):
            raise ValueError(
                f"columns.options in globals.yml is {names!r}: give a list of at most "
                f"{len(OPTION_LABELS)} columns, as [A, B, C, D]"
            )
        return [column_name(name) for name in names]

    def _mended_names(self) -> dict[str, str]:
        own = ("row_id", "line", "source", *CELLS, *self._further(), SYSTEM)
        return {name: name for name in own}


def _check_name(name: str) -> None:
    """Refuse the name of a further column that means something else already."""
    where = f"columns in globals.yml or by --params: {name!r}"
    if name in (CONTEXT, TEACHER, SYSTEM):
        return
    if name.casefold() in _TAKEN:
        raise ValueError(f"{where} is the name of a column that the project makes; take another")
    if near := get_close_matches(name.casefold(), _ROLES, n=1, cutoff=_NEAR):
        raise ValueError(
            f"{where} is almost {near[0]!r}: correct it, or take a name that is less like it"
        )
    if not name.isidentifier():
        raise ValueError(
            f"{where} cannot be a field of a prompt: take letters, digits and underscores, "
            "a letter first"
        )


def _read(path: Path, names: Mapping[str, str], sheet: str) -> Sheet:
    if path.is_dir():
        return columnar.read_folder(path, names, sheet)
    kind = path.suffix.lower()
    if kind in WORKBOOK_ENDINGS:
        return spreadsheet.read(path, names, sheet)
    if sheet:
        raise ValueError(f"qa_sheet is {sheet!r}, but {path} has no sheets: leave qa_sheet empty")
    if kind in JSON_ENDINGS:
        return keyed.read_json(path, names)
    return columnar.read_parquet(path, names) if kind == ".parquet" else delimited.read(path, names)


def _find_header(sheet: Sheet, names: Mapping[str, str]) -> Header:
    """Return which record of a sheet is the header; what stands above it is a title."""
    if not sheet.records:
        raise ValueError(f"{sheet.name} is empty: give a sheet with a header line and rows")
    found = find_headers(sheet.records, names)
    if len(found) > 1 and found[0].at > 0:
        lines = " and ".join(str(sheet.records[each.at].line) for each in found)
        raise ValueError(
            f"{sheet.name}: {sheet.unit}s {lines} name the columns of question and answer: leave "
            "one of them, the header"
        )
    return found[0] if found else Header(likely_header(sheet.records), dict(names))


def _split_header(sheet: Sheet, at: int, read: Collection[str]) -> tuple[Record, list[Record]]:
    """Return the header and the records below it, of as many cells."""
    header, rows = sheet.records[at], sheet.records[at + 1 :]
    if header.defect:
        raise ValueError(f"{sheet.place(header)}: the header is broken ({header.defect})")
    cells = [column_name(cell) for cell in header.cells]
    for name in cells:
        if name in read and cells.count(name) > 1:
            raise ValueError(
                f"{sheet.place(header)}: column {name!r} stands there {cells.count(name)} times; "
                "rename or remove one"
            )
    if not rows:
        raise ValueError(
            f"{sheet.name} has a header and no rows: add rows below {sheet.unit} {header.line}"
        )
    widths = {len(row.cells) for row in rows if not row.defect}
    if len(widths) == 1 and not sheet.ragged:
        # Some programs end every record, or the header alone, with a delimiter more.
        width = widths.pop()
        further = [cell for row in rows for cell in row.cells[len(cells) :]]
        if not any(cells[width:]) and not any(further):
            cells = cells[:width] + [""] * (width - len(cells))
    return header._replace(cells=cells), rows


def _find_columns(
    sheet: Sheet, header: Record, names: Mapping[str, str], mended: bool
) -> dict[str, int]:
    """Return the place in the header of each canonical column that is there."""
    places = {key: header.cells.index(name) for key, name in names.items() if name in header.cells}
    for key, name in names.items():
        if key in places:
            continue
        near = [cell for cell in header.cells if cell.casefold() == name.casefold()]
        if near:
            raise ValueError(
                f"{sheet.place(header)}: there is no column {name!r} ({key}) but {near[0]!r}; "
                "write it the same in the sheet and in columns of globals.yml"
            )
        if key in ((*REQUIRED, "row_id") if mended else names.keys() - _OPTIONAL):
            found = ", ".join(repr(cell) for cell in header.cells if cell)
            raise ValueError(
                f"{sheet.place(header)}: there is no column {name!r} ({key}), only {found}; "
                + (
                    "mend a copy of quarantined_rows.csv, which has it"
                    if mended
                    else f"set columns.{key} in globals.yml or by --params"
                )
            )
    return places


def _places_of(sheet: Sheet, header: Record, options: Sequence[str]) -> list[int]:
    """Return the places in the header of the columns that hold options."""
    for name in options:
        if name not in header.cells:
            raise ValueError(
                f"{sheet.place(header)}: there is no column {name!r} (options): correct "
                "columns.options in globals.yml"
            )
    return [header.cells.index(name) for name in options]


def _said(
    sheet: Sheet, found: Header, header: Record, rows: Sequence[Record], read: Collection[int]
) -> list[str]:
    """Return lines for the log: what is read from where, what is not, and notes of the reader."""
    columns = ", ".join(
        f"{key} from {name!r}" for key, name in found.names.items() if name in header.cells
    )
    if found.guessed:
        columns += " (guessed: columns in globals.yml names others)"
    if found.about:
        columns += f", with {found.about!r} below the question"
    if TOLD in header.cells and header.cells.index(TOLD) in read:
        columns += f", {SYSTEM} from the system messages of conversations"
    unread = [
        repr(cell)
        for place, cell in enumerate(header.cells)
        if cell and place not in read and cell != found.about
    ]
    for place, cell in enumerate(header.cells):
        filled = sum(
            not cell and bool("".join(row.cells[place : place + 1]).strip()) for row in rows
        )
        if filled:
            unread.append(
                f"column {place + 1}, which has no name (text in {filled} row{'s' * (filled > 1)})"
            )
    where = f" (the header is {sheet.unit} {header.line}, below a title)" if found.at else ""
    notes = [f"not read: {', '.join(unread)}"] if unread else []
    return [f"Reads {sheet.name}{where}: {columns}", *(f"  {n}" for n in (*notes, *sheet.notes))]


def _check_judged(sheet: Sheet, header: Sequence[str], rows: Sequence[Record]) -> None:
    """Raise where a row of a review queue comes back without a verdict: nobody judged it."""
    if QUEUE_MARK not in header or "verdict" not in header:
        return
    place = header.index("verdict")
    for record in rows:
        said = "".join(record.cells[place : place + 1])  # a spreadsheet row may end before it
        if not record.defect and not said.strip():
            raise ValueError(
                f"{sheet.place(record)}: the verdict is blank; write yes or no, or delete the row"
            )


def _check_mended(
    sheet: Sheet, records: Sequence[Record], rows: Sequence[Mapping[str, str]]
) -> None:
    for record, row in zip(records, rows, strict=True):
        if row["defect"]:
            raise ValueError(
                f"{sheet.place(record)}: {row['defect']}; mend this row of the copy too"
            )
