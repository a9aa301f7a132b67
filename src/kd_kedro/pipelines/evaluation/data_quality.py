"""How well the curation did its work."""

import pandas as pd

from kd_kedro.curation.records.row_texts import products_of
from kd_kedro.metrics.report.filter_quality import measure_against_reviewers, measure_filters

# The stages whose texts planted defects are compared with, and what they let out.
_COMPARED = {
    "review": "reviewed_qa",
    "cleaning": "cleaned_qa",
    "fitb": "fitb_rephrased",
    "mcq": "converted_mcq",
}


def is_made_here(final_qa_truth: pd.DataFrame, row_events: pd.DataFrame) -> bool:
    """Tell whether every row was drawn from a template of fabrication, and no model wrote of them.

    A row's identity is of its cells and its line: a truth that has it is of this very sheet.

    Args:
        final_qa_truth: Columns `row_id, template`; it may be empty or of another sheet.
        row_events: All events; what a language model said stands in the evidence with its name.
    """
    if final_qa_truth.empty:
        return False
    drawn = final_qa_truth.loc[final_qa_truth["template"] != "", "row_id"]
    read = row_events.loc[row_events["stage"] == "validation", "row_id"]
    written = row_events["evidence"].str.contains('"model":', regex=False)
    return bool(read.isin(drawn).all() and not written.any())


def measure_curation(
    final_qa_truth: pd.DataFrame,
    row_events: pd.DataFrame,
    row_texts: pd.DataFrame,
    review_queue: pd.DataFrame,
) -> pd.DataFrame:
    """Compare what each curation step did with the sheet's known defects and with reviewers."""
    products = products_of(row_texts, row_events)
    compared = {name: products[stage] for stage, name in _COMPARED.items()}
    planted = measure_filters(final_qa_truth, row_events, compared)
    judged = measure_against_reviewers(products["validation"], review_queue, row_events)
    return pd.concat([planted, judged], ignore_index=True)
