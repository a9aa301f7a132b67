"""The row: its columns at each stage, its identity and the hash of its content."""

import hashlib
from collections.abc import Sequence

import pandas as pd

RAW = ["line", "source", "question", "answer", "verdict", "correction", "remarks", "defect", "raw"]
CELLS = ["question", "answer", "verdict", "correction", "remarks"]
VALIDATED = ["row_id", "line", "source", *CELLS, "mended"]
LABELLED = [*VALIDATED, "label"]
# `verdict` is the reviewer's, `options` what `choices.write_choice` makes of a multiple-choice row.
STAGE = [
    "row_id", "line", "source", "verdict", "format", "options", "mended", "question", "answer",
]  # fmt: skip
QUARANTINED = ["row_id", "line", "source", *CELLS, "raw", "stage", "reason"]
# Those of rows that filtering takes away, with what each was compared with.
DISCARDED = [*STAGE, "score", "threshold", "reason"]
LINK = ["neighbour_id", "similarity", "threshold"]
DUPLICATES = [*STAGE, "survivor_id", "reason", *LINK]
CONFLICTS = [*STAGE, "group_id", "reason", *LINK]
SHARED = [*STAGE, "group_id"]
SPLIT = ["row_id", "family_id", "split", "style", "question", "answer", "source"]
# Any other column is a further one of the user's sheet, under the name that it was given.
OWN = frozenset(
    {*RAW, *LABELLED, *STAGE, *QUARANTINED, *DISCARDED, *DUPLICATES, *CONFLICTS, *SHARED, *SPLIT}
)
# Those that mean something here: what only a teacher reads, whose targets a row learns from, and
# what a model is told before the question.
CONTEXT, TEACHER, SYSTEM = "context", "teacher", "system"


def row_id(line: str, cells: Sequence[str]) -> str:
    """Return the identity of a record: 12 hex digits of its position and its cells.

    Args:
        line: The 1-based line (or sheet row) where the record starts, as text.
        cells: question, answer, verdict, correction, remarks of a readable record; the raw text
            alone of a defective one.
    """
    return _digest([line, *cells], 12)


def content_hash(question: str, answer: str) -> str:
    """Return 16 hex digits of what a row says, to tell whether a stage changed it."""
    return _digest([question, answer], 16)


def further_columns(rows: pd.DataFrame) -> list[str]:
    """Return the names of the columns that came from the sheet beside those that curation reads."""
    return [name for name in rows.columns if name not in OWN]


def join_further(rows: pd.DataFrame, source: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the further columns of another table, by `row_id`.

    Raises:
        ValueError: The other table has no such row.
    """
    names = further_columns(source)
    if not names:
        return rows
    if absent := set(rows["row_id"]) - set(source["row_id"]):
        raise ValueError(
            f"row {min(absent)} is not in the table that has its {', '.join(names)}: the tables "
            "are of different runs; run the pipelines again from preprocessing"
        )
    found = source.set_index("row_id").loc[rows["row_id"], names]
    return rows.assign(**{name: found[name].to_numpy() for name in names}).astype(
        dict.fromkeys(names, "str")
    )


def table(columns: Sequence[str], records: Sequence[Sequence[str]] = ()) -> pd.DataFrame:
    """Return an all-text table with these columns."""
    return pd.DataFrame(list(records), columns=list(columns), dtype="str")


def _digest(parts: Sequence[str], digits: int) -> str:
    # The length before each part keeps ("ab", "c") and ("a", "bc") apart.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
