"""A question-answer sheet with reviewers' columns, read as the pipeline reads it."""

from pathlib import Path

import pandas as pd

from kd_kedro.curation.validation import identify
from kd_kedro.datasets.qa_sheet import QASheetDataset

COLUMNS = {
    "question": "Question",
    "answer": "Answer",
    "verdict": "Classification",
    "correction": "Correction_Question",
    "remarks": "Remarks",
}


def read_sheet(path: Path) -> pd.DataFrame:
    """Return the rows of a sheet that have a question, an answer and all their cells, in order.

    Returns:
        Text columns `row_id, line, question, answer, verdict, correction, remarks` and bool
        `rejected`, the reviewers' verdict.
    """
    raw = identify(QASheetDataset(str(path), columns=COLUMNS).load())
    whole = (raw["defect"] == "") & (raw["question"].str.strip() != "")
    rows = raw[whole & (raw["answer"].str.strip() != "")].reset_index(drop=True)
    return rows.assign(rejected=rows["verdict"].str.strip().str.casefold() == "no")
