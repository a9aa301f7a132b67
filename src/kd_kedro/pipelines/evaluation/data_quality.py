"""The node that measures how well the curation did its work."""

import pandas as pd

from kd_kedro.metrics.report.filter_quality import measure_against_reviewers, measure_filters


def measure_curation(
    final_qa_truth: pd.DataFrame,
    row_events: pd.DataFrame,
    validated_qa: pd.DataFrame,
    review_queue: pd.DataFrame,
    reviewed_qa: pd.DataFrame,
    cleaned_qa: pd.DataFrame,
    fitb_rephrased: pd.DataFrame,
    converted_mcq: pd.DataFrame,
) -> pd.DataFrame:
    """Compare what each curation step did with the sheet's known defects and with reviewers."""
    stages = {
        "reviewed_qa": reviewed_qa,
        "cleaned_qa": cleaned_qa,
        "fitb_rephrased": fitb_rephrased,
        "converted_mcq": converted_mcq,
    }
    planted = measure_filters(final_qa_truth, row_events, stages)
    judged = measure_against_reviewers(validated_qa, review_queue, row_events)
    return pd.concat([planted, judged], ignore_index=True)
