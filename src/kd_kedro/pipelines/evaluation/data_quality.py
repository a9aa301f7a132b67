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
