"""Nodes that show what was found: report, plots and tables, all from the same objects."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kd_kedro.metrics.examples import instructive_examples
from kd_kedro.metrics.slices import score_runs, worst_slice
from kd_kedro.pipelines.distillation.params import StudentParams
from kd_kedro.pipelines.evaluation.params import ReportParams, SlicesParams, VerdictParams
from kd_kedro.pipelines.evaluation.plots import models_figure, pareto_figure
from kd_kedro.pipelines.evaluation.report import render_report


def write_report(
    validation_results: pd.DataFrame,
    evaluation_facts: Mapping[str, Any],
    verdict: Mapping[str, Any],
    compression: Mapping[str, Any],
    filter_quality: pd.DataFrame,
    curation_examples: pd.DataFrame,
    personal_data_summary: pd.DataFrame,
    slices: pd.DataFrame,
    row_waterfall: pd.DataFrame,
    histories: Mapping[str, list[dict[str, Any]]],
    tuning_record: Mapping[str, Any],
    student: StudentParams,
    choices: SlicesParams,
    wording: ReportParams,
    judging: VerdictParams,
) -> str:
    """Write the whole evaluation as one HTML page that needs nothing else."""
    return render_report(
        facts=evaluation_facts,
        verdict=verdict,
        compression=compression,
        filter_quality=filter_quality,
        curation_examples=curation_examples,
        personal_data=personal_data_summary,
        slices=slices,
        worst=worst_slice(slices, min_families=choices.min_families),
        runs=score_runs(validation_results),
        examples=instructive_examples(validation_results, count=choices.examples),
        waterfall=row_waterfall,
        histories=histories,
        tuning=tuning_record,
        student=student,
        wording=wording,
        judging=judging,
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


def plot_models(verdict: Mapping[str, Any]) -> Any:
    """Draw teacher, baseline and student with their intervals."""
    return models_figure(verdict)


def plot_pareto(compression: Mapping[str, Any]) -> Any:
    """Draw quality against latency and size of teacher, student and the student's variants."""
    return pareto_figure(compression["pareto"])
