"""Nodes that show what was found: report, plots and tables, all from the same objects."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kd_kedro.curation.records import lineage
from kd_kedro.curation.records.change_examples import examples_by_kind
from kd_kedro.metrics.report.instructive_answers import instructive_examples
from kd_kedro.pipelines.distillation.params import StudentParams
from kd_kedro.pipelines.evaluation.params import SlicesParams, VerdictParams
from kd_kedro.pipelines.reporting.figures import (
    models_figure,
    pareto_figure,
    power_figure,
    reliability_figure,
)
from kd_kedro.pipelines.reporting.params import ReportParams
from kd_kedro.pipelines.reporting.report import render_report


def write_report(
    evidence: Mapping[str, Any],
    run_identity: Mapping[str, str],
    validation_results: pd.DataFrame,
    evaluation_facts: Mapping[str, Any],
    train_overlap: pd.DataFrame,
    curation_examples: pd.DataFrame,
    personal_data_summary: pd.DataFrame,
    histories: Mapping[str, list[dict[str, Any]]],
    tuning_record: Mapping[str, Any],
    student: StudentParams,
    choices: SlicesParams,
    wording: ReportParams,
    judging: VerdictParams,
) -> tuple[str, pd.DataFrame]:
    """Write the whole evaluation as one HTML page that needs nothing else.

    Returns:
        The page, and the instructive examples it shows.
    """
    examples = instructive_examples(validation_results, count=choices.examples)
    page = render_report(
        evidence=evidence,
        identity=run_identity,
        facts=evaluation_facts,
        train_overlap=train_overlap,
        examples=examples,
        curation_examples=curation_examples,
        personal_data=personal_data_summary,
        histories=histories,
        tuning=tuning_record,
        student=student,
        wording=wording,
        judging=judging,
    )
    return page, examples


def gather_histories(
    teacher_history: list[dict[str, Any]],
    baseline_history: list[dict[str, Any]],
    student_history: list[dict[str, Any]],
) -> dict[str, list[dict[str, Any]]]:
    """Put the trainings' histories under the models' names."""
    return {
        "teacher": teacher_history,
        "baseline": baseline_history,
        "student": student_history,
    }


def plot_evidence(evidence: Mapping[str, Any]) -> tuple[Any, ...]:
    """Draw the models with their intervals, power, calibration, and quality against cost."""
    return (
        models_figure(evidence["verdict"]),
        power_figure(evidence["power"]),
        reliability_figure(evidence["calibration"]),
        pareto_figure(evidence["compression"]["pareto"]),
    )


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
