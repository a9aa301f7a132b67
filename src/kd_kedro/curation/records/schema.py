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


def table(columns: Sequence[str], records: Sequence[Sequence[str]] = ()) -> pd.DataFrame:
    """Return an all-text table with these columns."""
    return pd.DataFrame(list(records), columns=list(columns), dtype="str")


def _digest(parts: Sequence[str], digits: int) -> str:
    # The length before each part keeps ("ab", "c") and ("a", "bc") apart.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
