"""The header of a sheet: the record that names the columns of question and answer.

It is the first record, or one below a title. Sheets with the column names of public data sets are
understood without being told: where the names asked for are `question` and `answer` themselves, in
any case, a header with a known pair of names will do, and a column called `verdict`, `correction`
or `remarks` is one where the one asked for is not there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kd_kedro.curation.records.schema import CELLS
from kd_kedro.datasets.sheets.record import Record

DEPTH = 20  # records among which the header is looked for
REQUIRED = ("question", "answer")
KNOWN = (
    REQUIRED,
    ("question", "response"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("query", "response"),
    ("query", "answer"),
    ("input", "output"),
    ("text", "label"),
)
# What an instruction is about, in a column of its own.
_ABOUT = ("input", "context")


class Header(NamedTuple):
    """Which record is the header, and what its columns are called.

    Attributes:
        at: Place of the header among the records.
        names: The sheet's column name by canonical name, as far as it is known.
        about: Name of the column whose text belongs below the question; '' for none.
        guessed: Whether the names are those of a known pair, not those asked for.
    """

    at: int
    names: dict[str, str]
    about: str = ""
    guessed: bool = False


def find_headers(records: Sequence[Record], names: Mapping[str, str]) -> list[Header]:
    """Return the headers that the first records hold: those with the names asked for, if any.

    Args:
        records: The first records of a sheet, at least `DEPTH` where there are so many.
        names: The sheet's column name by canonical name.

    Returns:
        Every record that may be the header; none where no record names question and answer.
    """
    heads = [
        (at, [column_name(cell) for cell in record.cells])
        for at, record in enumerate(records[:DEPTH])
        if not record.defect
    ]
    asked = [
        Header(at, _named(cells, names) if _may_guess(names) else dict(names))
        for at, cells in heads
        if all(names.get(key) in cells for key in REQUIRED)
    ]
    if asked or not _may_guess(names):
        return asked
    widest = 0  # a title has fewer cells than the header; a row that holds known names has as many
    known = []
    for at, cells in heads:
        filled = sum(bool(cell) for cell in cells)
        if filled > widest and (found := _known(at, cells, names)):
            known.append(found)
        widest = max(widest, filled)
    return known


def column_name(cell: object) -> str:
    """Return a column's name as it is compared: line ends and doubled spaces are one space."""
    return " ".join(str(cell).split())


def header_names(names: Mapping[str, str]) -> set[str]:
    """Return the names, in lower case, of which a header is expected to hold some."""
    known = {name for pair in KNOWN for name in pair} if _may_guess(names) else set()
    return known | {name.casefold() for name in names.values()}


def likely_header(records: Sequence[Record]) -> int:
    """Return the place of the first record with two filled cells: where none is the header."""
    for at, record in enumerate(records[:DEPTH]):
        if record.defect or sum(bool(cell.strip()) for cell in record.cells) > 1:
            return at
    return 0


def _may_guess(names: Mapping[str, str]) -> bool:
    return tuple(names.get(key, "").casefold() for key in REQUIRED) == REQUIRED


def known_pairs(cells: Iterable[str], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the cells that may name question and answer, the likeliest pair first."""
    by_lower = {cell.casefold(): cell for cell in reversed(_unasked(cells, names))}
    return [
        (by_lower[question], by_lower[answer])
        for question, answer in (KNOWN if _may_guess(names) else ())
        if question in by_lower and answer in by_lower
    ]


def known_questions(cells: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Return the cells that may name a question, the likeliest first."""
    by_lower = {cell.casefold(): cell for cell in reversed(_unasked(cells, names))}
    known = dict.fromkeys(question for question, _ in KNOWN) if _may_guess(names) else ()
    return [by_lower[name] for name in known if name in by_lower]


def answer_names(cells: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Return the cells that name an answer wherever they stand; a label may be of anything."""
    known = {answer for _, answer in KNOWN} - {"label"}
    return [cell for cell in _unasked(cells, names) if cell.casefold() in known]


def subject_of(question: str, cells: Iterable[str], names: Mapping[str, str]) -> str:
    """Return the cell that names what an instruction is about; '' for none."""
    by_lower = {cell.casefold(): cell for cell in reversed(_unasked(cells, names))}
    about = [by_lower[name] for name in _ABOUT if name in by_lower]
    return about[0] if about and question.casefold() == "instruction" else ""


def _known(at: int, cells: Sequence[str], names: Mapping[str, str]) -> Header | None:
    if any(names[key] in cells for key in REQUIRED):
        return None  # a header that was meant for these names, and lacks one
    by_lower = {cell.casefold(): cell for cell in reversed(cells)}
    for question, answer in known_pairs(cells, names):
        named = _named(cells, names)
        found = {key: by_lower.get(name.casefold(), name) for key, name in named.items()}
        found |= {"question": question, "answer": answer}
        return Header(at, found, subject_of(question, cells, names), guessed=True)
    return None


def _unasked(cells: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Return the cells that were not asked for as something else than question and answer.

    What is named as what only a teacher reads, say, is no part of a question, whatever the column
    is called.
    """
    others = {name.casefold() for key, name in names.items() if key not in REQUIRED}
    return [cell for cell in cells if cell.casefold() not in others]


def _named(cells: Sequence[str], names: Mapping[str, str]) -> dict[str, str]:
    """Return what columns are called: as asked for, or by what they are where that is not there."""
    by_lower = {cell.casefold(): cell for cell in reversed(cells)}
    return {
        key: name if name.casefold() in by_lower or key not in CELLS else by_lower.get(key, name)
        for key, name in names.items()
    }
