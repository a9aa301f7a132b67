"""The cells of a record as question, answer and what reviewers said, with the record's defect."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kd_kedro.datasets.sheets.header import REQUIRED
from kd_kedro.datasets.sheets.record import Record, Sheet

OPTION_LABELS = "abcdefghij"
_CHECK_BOX = {"TRUE": "yes", "FALSE": "no"}  # how a yes or no that is no text is written


class Columns(NamedTuple):
    """Where the cells of a record are that are read.

    Attributes:
        header: Names of all columns.
        places: Place by canonical name, `question` always among them.
        about: Place of the column whose text belongs below the question; None for none.
        options: Places of the columns that hold one option each.
    """

    header: Sequence[str]
    places: Mapping[str, int]
    about: int | None
    options: Sequence[int]


def read_row(sheet: Sheet, record: Record, columns: Columns) -> dict[str, str]:
    """Return what a record says by canonical name, with `line`, `source`, `defect` and `raw`.

    A record with a defect has no other cells; one that has question and answer has no raw text.
    `line` and `source` are those of the record where no column gives them.
    """
    record = _whole(sheet, record, columns)
    places = columns.places
    values = {
        key: record.cells[place] if not record.defect and place not in record.damaged else ""
        for key, place in places.items()
    }
    if not record.defect:
        below = _subject(record, columns) + _option_lines(record, columns)
        if below and values["question"].strip():
            values["question"] = values["question"].rstrip() + below
    if sheet.typed and (said := _CHECK_BOX.get(values.get("verdict", ""))):
        values["verdict"] = said
    whole = not record.defect and all(values.get(key, "").strip() for key in REQUIRED)
    return {
        **values,
        "line": values.get("line") or str(record.line),
        "source": values.get("source") or sheet.source,
        "defect": record.defect,
        "raw": "" if whole else record.raw,
    }


def _whole(sheet: Sheet, record: Record, columns: Columns) -> Record:
    """Return a record with as many cells as the header, or with the defect of not having them."""
    if record.defect:
        return record
    width = len(columns.header)
    cells = record.cells
    if sheet.ragged:
        cells = cells + [""] * (width - len(cells))
    if len(cells) != width:
        return record._replace(defect=f"{len(cells)} cells where the header has {width}")
    # Remarks decide nothing, so a row does not fail for them.
    read = [place for key, place in columns.places.items() if key != "remarks"]
    about = [] if columns.about is None else [columns.about]
    damage = _damage(record, columns.header, [*read, *about, *columns.options])
    return record._replace(cells=cells, defect=damage or _gap(cells, columns.options))


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


def _gap(cells: Sequence[str], options: Sequence[int]) -> str:
    filled = [bool(cells[place].strip()) for place in options]
    if all(filled[: sum(filled)]):
        return ""
    return f"option ({OPTION_LABELS[filled.index(False)]}) is empty and a later one is not"


def _subject(record: Record, columns: Columns) -> str:
    """Return what a question is about, as it stands below it."""
    subject = "" if columns.about is None else record.cells[columns.about]
    return f"\n\n{subject}" if subject.strip() else ""


def _option_lines(record: Record, columns: Columns) -> str:
    """Return the options as they stand below a question: one a line, with their labels."""
    texts = [text for place in columns.options if (text := record.cells[place].strip())]
    lines = [f"\n({label}) {text}" for label, text in zip(OPTION_LABELS, texts, strict=False)]
    return "".join(lines) if len(lines) > 1 else ""
