"""Nodes that tell how well the curation did its work."""

import pandas as pd

from kd_kedro.curation import lineage
from kd_kedro.curation.examples import examples_by_kind
from kd_kedro.metrics.filters import measure_against_reviewers, measure_filters
from kd_kedro.pipelines.evaluation.params import ReportParams


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


def pick_curation_examples(
    row_events: pd.DataFrame,
    personal_data_summary: pd.DataFrame,
    quarantined_rows: pd.DataFrame,
    validated_qa: pd.DataFrame,
    reviewed_qa: pd.DataFrame,
    cleaned_qa: pd.DataFrame,
    screened_qa: pd.DataFrame,
    fitb_rephrased: pd.DataFrame,
    converted_mcq: pd.DataFrame,
    soap_qa: pd.DataFrame,
    deduplication_rephrasing: pd.DataFrame,
    report: ReportParams,
) -> pd.DataFrame:
    """Pick a few rows of each kind that each stage removed or changed.

    Where personal data is masked, no row is shown as it was before the mask.
    """
    events = row_events
    if (personal_data_summary["masked"] == "yes").any():
        unmasked = lineage.STAGES[: lineage.STAGES.index("personal_data") + 1]
        events = row_events[~row_events["stage"].isin(unmasked)]
    products = {
        "validation": validated_qa,
        "review": reviewed_qa,
        "cleaning": cleaned_qa,
        "personal_data": screened_qa,
        "fitb": fitb_rephrased,
        "mcq": converted_mcq,
        "soap": soap_qa,
        "deduplication": deduplication_rephrasing,
    }
    return examples_by_kind(events, products, quarantined_rows, report.curation_examples)
