"""The reporting pipeline: the evidence as a report, a model card and plots."""

from kedro.pipeline import Pipeline, node

from kd_kedro.pipelines.reporting.model_card import write_model_card
from kd_kedro.pipelines.reporting.nodes import (
    gather_histories,
    pick_curation_examples,
    plot_evidence,
    write_report,
)


def create_pipeline() -> Pipeline:
    """Return the reporting pipeline."""
    return Pipeline(
        [
            node(
                pick_curation_examples,
                [
                    "row_events",
                    "personal_data_summary",
                    "quarantined_rows",
                    "validated_qa",
                    "reviewed_qa",
                    "cleaned_qa",
                    "screened_qa",
                    "fitb_rephrased",
                    "converted_mcq",
                    "soap_qa",
                    "deduplication_rephrasing",
                    "params:reporting",
                ],
                "curation_examples",
                name="pick_curation_examples",
            ),
            node(
                gather_histories,
                ["teacher_history", "baseline_history", "student_history"],
                "training_histories",
                name="gather_histories",
            ),
            node(
                write_report,
                [
                    "evidence",
                    "run_identity",
                    "validation_results",
                    "evaluation_facts",
                    "train_overlap",
                    "curation_examples",
                    "personal_data_summary",
                    "training_histories",
                    "tuning_record",
                    "params:distillation.student",
                    "params:evaluation.slices",
                    "params:reporting",
                    "params:evaluation.verdict",
                ],
                ["report", "instructive_examples"],
                name="write_report",
            ),
            node(
                write_model_card,
                ["evidence", "run_identity", "evaluation_facts", "params:reporting"],
                "model_card",
                name="write_model_card",
            ),
            node(
                plot_evidence,
                "evidence",
                ["models_plot", "power_plot", "reliability_plot", "pareto_plot"],
                name="plot_evidence",
            ),
        ]
    )
