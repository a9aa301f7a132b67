"""The user's question-answer sheet: CSV or XLSX, read strictly, never written."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset

from kd_kedro.curation.records.schema import CELLS, RAW, table
from kd_kedro.datasets import delimited, spreadsheet
from kd_kedro.datasets.delimited import Record
from kd_kedro.datasets.previews import TablePreview

REQUIRED = ("question", "answer")
# Columns that hold one option of a multiple-choice question each.
OPTIONS = "options"
OPTION_LABELS = "abcdefghij"
TEXT_ENDINGS = (".csv", ".tsv", ".txt")
# The columns of a mended copy of quarantined_rows or same_question_diff_answers.
MENDED = ["row_id", *RAW]
_CHECK_BOX = {"TRUE": "yes", "FALSE": "no"}  # what a spreadsheet stores of one
QUEUE_MARK = "why"  # a column that only `kedro review-queue` writes


class QASheetDataset(AbstractDataset[None, pd.DataFrame]):  # type: ignore[misc]
    """A sheet of questions and answers as a table of text, one row a record.

    All cells are text: no value means "missing", `None`, `NA` and `007` stay what they are. The
    delimiter of a text file (comma, semicolon, tab, bar) is the one that fits it best, or the one
    of its `sep=` line. A record with too many or too few cells comes out with its `defect` and its
    `raw` text.
    """

    def __init__(
        self,
        filepath: str | None,
        columns: Mapping[str, str | Sequence[str] | None] | None = None,
        optional: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe a sheet.

        Args:
            filepath: A .csv, .tsv, .txt or .xlsx file. '' or None where `optional`.
            columns: The sheet's column name for question, answer, verdict, correction, remarks;
                the last three may be absent or None. `options` may list the columns that hold one
                option each: they come out below the question, as "(a) …".
            optional: Read a mended copy (with `row_id` and the columns of `quarantined_rows`);
                without a path, an empty table.
            metadata: Metadata for kedro-viz; not used here.
        """
        self._filepath = Path(filepath) if filepath else None
        self._columns = dict(columns or {})
        self._optional = optional
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Return the sheet's records.

        Returns:
            Text columns `line, source, question, answer, verdict, correction, remarks, defect,
            raw`; where `optional`, `row_id` before them. `line` is the 1-based line where the
            record starts; of a mended row it is the line in the sheet it came from.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file breaks the contract; the sentence names line and column.
        """
        if self._optional and self._is_unset():
            return table(MENDED)
        path = self._checked_path()
        names = self._mended_names() if self._optional else self._mapped_names(path)
        header, rows = _split_header(path, _read_records(path, names.values()))
        if self._optional:
            _check_judged(path, header.cells, rows)
        places = _find_columns(path, header, names)
        options = [] if self._optional else self._find_options(path, header)
        return table(
            MENDED if self._optional else RAW,
            [
                _to_row(
                    path,
                    _with_options(record, header.cells, places, options),
                    header.cells,
                    places,
                    self._optional,
                )
                for record in rows
            ],
        )

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
        }

    def _exists(self) -> bool:
        return self._is_unset() if self._optional else self._is_file()

    def _is_file(self) -> bool:
        return self._filepath is not None and self._filepath.is_file()

    def _is_unset(self) -> bool:
        # Kedro makes the project folder of a relative path '', so that folder means "no path".
        return self._filepath is None or (self._filepath / "pyproject.toml").is_file()

    def _checked_path(self) -> Path:
        path = self._filepath
        if path is None:
            raise ValueError("qa_csv is empty: set it in globals.yml or by --params qa_csv=PATH")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a directory: give the path of a .csv or .xlsx file")
        if not path.exists():
            raise FileNotFoundError(
                f"{path} does not exist: correct the path (relative ones start at the project)"
            )
        if path.suffix.lower() not in (*TEXT_ENDINGS, ".xlsx"):
            raise ValueError(
                f"{path} ends in {path.suffix or 'nothing'!r}: save the sheet as .csv or .xlsx"
            )
        return path

    def _mapped_names(self, path: Path) -> dict[str, str]:
        """Return the sheet's column name by canonical name."""
        if unknown := sorted(set(self._columns) - {*CELLS, OPTIONS}):
            raise ValueError(
                f"columns in globals.yml: {unknown[0]!r} is none of {', '.join(CELLS)}; "
                "correct or remove the key"
            )
        names = {
            key: str(name).strip() for key, name in self._columns.items() if name and key != OPTIONS
        }
        for key in REQUIRED:
            if key not in names:
                raise ValueError(
                    f"columns in globals.yml has no {key}: say which column of {path} it is"
                )
        for key, name in names.items():
            if list(names.values()).count(name) > 1:
                raise ValueError(
                    f"columns in globals.yml gives {name!r} to {key} and to another key: "
                    "each needs a column of its own"
                )
        return names

    def _find_options(self, path: Path, header: Record) -> list[int]:
        """Return the places in the header of the columns that hold options."""
        names = self._columns.get(OPTIONS) or ()
        if isinstance(names, str) or len(names) > len(OPTION_LABELS):
            raise ValueError(
                f"columns.options in globals.yml is {names!r}: give a list of at most "
                f"{len(OPTION_LABELS)} columns, as [A, B, C, D]"
            )
        for name in names:
            if name not in header.cells:
                raise ValueError(
                    f"{path}, line {header.line}: there is no column {name!r} (options): correct "
                    "columns.options in globals.yml"
                )
        return [header.cells.index(name) for name in names]

    @staticmethod
    def _mended_names() -> dict[str, str]:
        return {name: name for name in ("row_id", "line", "source", *CELLS)}


def _read_records(path: Path, names: Collection[str]) -> Iterator[Record]:
    if path.suffix.lower() == ".xlsx":
        return spreadsheet.records(path)
    text = delimited.read_text(path)
    return delimited.records(path, text, delimited.find_delimiter(path, text, names))


def _split_header(path: Path, records: Iterator[Record]) -> tuple[Record, list[Record]]:
    header = next(records, None)
    if header is None:
        raise ValueError(f"{path} is empty: give a sheet with a header line and rows")
    if header.defect:
        raise ValueError(f"{path}, line {header.line}: the header is broken ({header.defect})")
    header = header._replace(cells=[cell.strip() for cell in header.cells])
    for name in header.cells:
        if name and header.cells.count(name) > 1:
            raise ValueError(
                f"{path}, line {header.line}: column {name!r} stands there "
                f"{header.cells.count(name)} times; rename or remove one"
            )
    rows = list(records)
    if not rows:
        raise ValueError(f"{path} has a header and no rows: add rows below line {header.line}")
    return header, rows


def _find_columns(path: Path, header: Record, names: Mapping[str, str]) -> dict[str, int]:
    """Return the place in the header of each canonical column that is there."""
    places = {key: header.cells.index(name) for key, name in names.items() if name in header.cells}
    for key, name in names.items():
        if key in places:
            continue
        near = [cell for cell in header.cells if cell.casefold() == name.casefold()]
        if near:
            raise ValueError(
                f"{path}, line {header.line}: there is no column {name!r} ({key}) but {near[0]!r}; "
                "write it the same in the sheet and in columns of globals.yml"
            )
        if key in (*REQUIRED, "row_id"):
            found = ", ".join(repr(cell) for cell in header.cells if cell)
            raise ValueError(
                f"{path}, line {header.line}: there is no column {name!r} ({key}), only {found}; "
                + (
                    "mend a copy of quarantined_rows.csv, which has it"
                    if key in ("row_id", name)
                    else f"set columns.{key} in globals.yml"
                )
            )
    return places


def _check_judged(path: Path, header: Sequence[str], rows: Sequence[Record]) -> None:
    """Raise where a row of a review queue comes back without a verdict: nobody judged it."""
    if QUEUE_MARK not in header or "verdict" not in header:
        return
    place = header.index("verdict")
    for record in rows:
        said = "".join(record.cells[place : place + 1])  # a spreadsheet row may end before it
        if not record.defect and not said.strip():
            raise ValueError(
                f"{path}, line {record.line}: the verdict is blank; write yes or no, or delete "
                "the row"
            )


def _with_options(
    record: Record, header: Sequence[str], places: Mapping[str, int], options: Sequence[int]
) -> Record:
    """Return a record whose question has its options below it, one a line, with their labels."""
    if record.defect or not options:
        return record
    if damage := _damage(record, header, options):
        return record._replace(defect=damage)
    cells = list(record.cells)
    texts = [cells[place].strip() if place < len(cells) else "" for place in options]
    filled = [bool(text) for text in texts]
    if not all(filled[: sum(filled)]):
        label = OPTION_LABELS[filled.index(False)]
        return record._replace(defect=f"option ({label}) is empty and a later one is not")
    asked = places["question"] < len(cells) and cells[places["question"]].strip()
    if sum(filled) > 1 and asked:
        lines = [f"({label}) {text}" for label, text in zip(OPTION_LABELS, texts) if text]  # noqa: B905
        cells[places["question"]] = "\n".join([cells[places["question"]].rstrip(), *lines])
    return record._replace(cells=cells)


def _damage(record: Record, header: Sequence[str], places: Iterable[int]) -> str:
    """Return why one of the cells that are read says nothing; '' where all say something."""
    return next(
        (
            f"column {header[place]}: {record.damaged[place]}"
            for place in places
            if place in record.damaged
        ),
        "",
    )


def _to_row(
    path: Path, record: Record, header: Sequence[str], places: Mapping[str, int], mended: bool
) -> list[str]:
    cells, defect = record.cells, record.defect
    if path.suffix.lower() == ".xlsx":
        # A spreadsheet stores no empty cells at the end of a row.
        cells = cells + [""] * (len(header) - len(cells))
    if not defect and len(cells) != len(header):
        defect = f"{len(cells)} cells where the header has {len(header)}"
    if not defect:
        defect = _damage(record, header, places.values())
    values = {
        key: cells[place] if place < len(cells) and not defect else ""
        for key, place in places.items()
    }
    if path.suffix.lower() == ".xlsx" and (said := _CHECK_BOX.get(values.get("verdict", ""))):
        values["verdict"] = said
    if mended and defect:
        raise ValueError(f"{path}, line {record.line}: {defect}; mend this row of the copy too")
    row = [
        values.get("line") or str(record.line),
        values.get("source") or path.name,
        *(values.get(key, "") for key in CELLS),
        defect,
        record.raw if defect else "",
    ]
    return [values["row_id"], *row] if mended else row
