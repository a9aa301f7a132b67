"""Nodes that show what was found: report, plots and tables, all from the same objects."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kd_kedro.curation.records.change_examples import examples_by_kind
from kd_kedro.curation.records.lineage import stages_of
from kd_kedro.curation.records.row_texts import QUARANTINED, products_of
from kd_kedro.metrics.report.instructive_answers import instructive_examples
from kd_kedro.pipelines.distillation.params import StudentParams
from kd_kedro.pipelines.reporting.figures import (
    models_figure,
    pareto_figure,
    power_figure,
    reliability_figure,
)
from kd_kedro.pipelines.reporting.params import ReportParams
from kd_kedro.pipelines.reporting.report import render_report


def pick_instructive_examples(
    validation_results: pd.DataFrame, report: ReportParams
) -> pd.DataFrame:
    """Pick the held-out rows that a reader learns most from."""
    return instructive_examples(validation_results, count=report.instructive_examples)


def write_report(
    evidence: Mapping[str, Any],
    run_identity: Mapping[str, str],
    evaluation_facts: Mapping[str, Any],
    instructive_examples: pd.DataFrame,
    curation_examples: pd.DataFrame,
    training_histories: Mapping[str, list[dict[str, Any]]],
    tuning_record: Mapping[str, Any],
    baseline_tuning_record: Mapping[str, Any],
    student: StudentParams,
    report: ReportParams,
) -> str:
    """Write the whole evaluation as one HTML page that needs nothing else."""
    return render_report(
        evidence=evidence,
        identity=run_identity,
        facts=evaluation_facts,
        examples=instructive_examples,
        curation_examples=curation_examples,
        histories=training_histories,
        tuning=tuning_record,
        baseline_tuning=baseline_tuning_record,
        student=student,
        wording=report,
    )


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
    row_texts: pd.DataFrame,
    personal_data_summary: pd.DataFrame,
    report: ReportParams,
) -> pd.DataFrame:
    """Pick a few rows of each kind that each stage removed or changed.

    Where personal data is masked, no row is shown as it was before the mask.
    """
    products = products_of(row_texts, row_events)
    aside = products.pop(QUARANTINED)
    events, stages = row_events, stages_of(row_events)
    if (personal_data_summary["masked"] == "yes").any():
        unmasked = stages[: stages.index("personal_data") + 1]
        events = row_events[~row_events["stage"].isin(unmasked)]
    shown = {stage: products[stage] for stage in stages if stage != "split"}
    return examples_by_kind(events, shown, aside, report.curation_examples)
