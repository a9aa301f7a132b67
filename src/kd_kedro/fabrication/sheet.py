"""The sheet as a file, with lines a reader stumbles over, and the truth about each record."""

import csv
import io
from collections.abc import Sequence

import pandas as pd

from kd_kedro.curation.records.schema import row_id, table
from kd_kedro.fabrication.drawing import Row

HEADER = ["Question", "Answer", "Classification", "Correction_Question", "Remarks"]
TRUTH = ["row_id", "line", "defects", "expected", "topic", "template", "gradable", "group"]


def write_sheet(rows: Sequence[Row]) -> tuple[str, pd.DataFrame]:
    """Return the text of the CSV file and one line of truth per record.

    Args:
        rows: The rows in the order of the file.

    Returns:
        The text (records end in a line feed, line ends inside cells are CRLF) and the truth, all
        text.
    """
    records, truth, line = [_quoted(HEADER)], [], 2
    for row in rows:
        record = _record(row)
        identity = row_id(str(line), _as_read(record))
        truth.append(
            [
                identity,
                str(line),
                ";".join(row.defects),
                row.expected,
                row.item.topic,
                row.item.template.name,
                "yes" if row.gradable else "no",
                row.group,
            ]
        )
        records.append(record)
        line += record.count("\n") + 1
    return "\n".join(records) + "\n", table(TRUTH, truth)


def _record(row: Row) -> str:
    cells = [row.question, row.answer, row.verdict, row.correction, row.remarks]
    if not row.broken:
        return _quoted(cells)
    # Someone typed the answer without quotes; where they also saw too many commas at the end and
    # took them away, its tail stands in the verdict's column.
    commas = ",," if row.broken == "extra" else ","
    return f"{_quoted([row.question])},{row.answer},{row.verdict}{commas}"


def _quoted(cells: Sequence[str]) -> str:
    # The writer quotes a cell with a line end only where the terminator holds that sign.
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n")


def _as_read(record: str) -> list[str]:
    """Return the cells as a strict reader has them: the raw text where their number is wrong."""
    (cells,) = csv.reader(io.StringIO(record, newline=""))
    return cells if len(cells) == len(HEADER) else [record]
