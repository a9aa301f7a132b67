"""The contract of a record: what may enter, what is quarantined and why, what was mended."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from kd_kedro.curation.records.schema import (
    CELLS,
    QUARANTINED,
    VALIDATED,
    further_columns,
    row_id,
    table,
)
from kd_kedro.curation.records.verdict_words import read_verdict

MENDED = "mended"


def identify(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the records of a sheet with their `row_id`.

    Further columns are no part of it: a row stays the one it is where they are named or changed.
    Of records that say the same on one line, as those of a JSON list may stand, the second and
    later ones are told apart by their number.

    Args:
        raw: Table with the columns of `raw_qa`.
    """
    said: Counter[tuple[str, ...]] = Counter()
    ids = []
    for record in raw.to_dict("records"):
        cells = [record["raw"]] if record["defect"] else _cells(record)
        before = said[record["line"], *cells]
        said[record["line"], *cells] += 1
        ids.append(row_id(record["line"], [*cells, str(before)] if before else cells))
    return raw.assign(row_id=pd.Series(ids, index=raw.index, dtype="str"))


def bring_back(records: pd.DataFrame, mended: pd.DataFrame) -> tuple[pd.DataFrame, set[str]]:
    """Return the records with mended ones in the place of those they mend.

    Args:
        records: Identified records.
        mended: The mended copy, with `row_id`; it may be empty. Where a further column is absent or
            empty there, the record keeps its own text; one that the records lack is added to all.

    Returns:
        The records, and the row_ids that were mended.

    Raises:
        ValueError: A mended row names a row_id the sheet does not have, names none, or one twice.
    """
    if mended.empty:
        return records, set()
    known = set(records["row_id"])
    seen: set[str] = set()
    for line, row in zip(mended["line"], mended["row_id"], strict=True):
        if row not in known or row in seen:
            what = "stands twice" if row in seen else "is not in the sheet"
            raise ValueError(
                f"mended row {row or '(without row_id)'} at line {line} of "
                f"{mended['source'].iloc[0]} {what}: keep the row_id column of the quarantined row "
                "as it was, and one row for each"
            )
        seen.add(row)
    fixed = {row["row_id"]: row for row in mended.to_dict("records")}
    further = further_columns(mended)
    records = records.assign(**{name: "" for name in further if name not in records})
    rows = records.to_dict("records")
    for row in rows:
        if own := fixed.get(row["row_id"]):
            # The raw text stays: should the row still break the contract, a person needs it again.
            row.update({column: own[column] for column in (*CELLS, "defect")})
            row.update({column: own[column] for column in further if own[column]})
    back = table(list(records.columns), [list(row.values()) for row in rows])
    return back, seen


def check_records(records: pd.DataFrame, verdicts: Sequence[str]) -> dict[str, str]:
    """Return the reason by row_id of every record that breaks the contract.

    Args:
        records: Identified records.
        verdicts: The values a verdict may have, any case, see `read_verdict`; blank is always
            allowed.
    """
    allowed = {verdict.strip().casefold() for verdict in verdicts}
    found = {}
    for record in records.to_dict("records"):
        if reason := _defect(record, allowed):
            where = f"{record['source']}, line {record['line']}"
            found[record["row_id"]] = f"{where}: {reason}"
    return found


def other_verdicts(records: pd.DataFrame, verdicts: Sequence[str]) -> dict[str, str | None]:
    """Return what is read of each verdict that is none of the words given; None for nothing.

    Args:
        records: Records with `verdict`.
        verdicts: The values a verdict may have, any case.
    """
    allowed = {verdict.strip().casefold() for verdict in verdicts}
    found = dict.fromkeys(records["verdict"].str.strip().str.casefold())
    return {said: read_verdict(said, allowed) for said in found if said not in {*allowed, ""}}


def split_valid(
    records: pd.DataFrame, reasons: Mapping[str, str], mended: set[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the valid records (`VALIDATED`) and the quarantined ones (`QUARANTINED`).

    Both have the further columns of the records too.
    """
    bad = records["row_id"].isin(list(reasons))
    marks = ["yes" if row in mended else "" for row in records["row_id"]]
    valid = records.assign(mended=pd.Series(marks, index=records.index, dtype="str"))[~bad]
    whole = _texts(valid, [*VALIDATED, *further_columns(valid)])
    return whole, quarantine(records[bad], "validation", reasons)


def quarantine(rows: pd.DataFrame, stage: str, reasons: Mapping[str, str]) -> pd.DataFrame:
    """Return rows in the form of `quarantined_rows`, with their further columns.

    Columns that they lack are ''.
    """
    absent = {column: "" for column in QUARANTINED if column not in rows}
    why = pd.Series([reasons[row] for row in rows["row_id"]], index=rows.index, dtype="str")
    named = rows.assign(**absent).drop(columns=["stage", "reason"])
    named = named.assign(stage=stage, reason=why)
    return _texts(named, [*QUARANTINED, *further_columns(named)])


def _defect(record: Mapping[Hashable, Any], allowed: set[str]) -> str:
    if record["defect"]:
        return str(record["defect"])
    for column in ("question", "answer"):
        if not record[column].strip():
            return f"column {column} is empty"
    if read_verdict(record["verdict"], allowed) is None:
        value = record["verdict"].strip()
        shown = value if len(value) <= 60 else value[:57] + "..."
        return (
            f"column verdict says '{shown}', not one of {', '.join(sorted(allowed - {''}))} or "
            "blank: correct the cell, or add the word to preprocessing.validation.verdicts, and "
            "where it rejects a row to preprocessing.review.reject_verdicts"
        )
    return ""


def _cells(record: Mapping[Hashable, Any]) -> list[str]:
    return [record[column] for column in CELLS]


def _texts(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return table(columns, rows[list(columns)].to_numpy().tolist())
