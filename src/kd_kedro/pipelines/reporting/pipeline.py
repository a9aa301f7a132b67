"""The reporting pipeline: the evidence as a report, a model card and plots."""

from kedro.pipeline import Node, Pipeline

from kd_kedro.pipelines.reporting.model_card import write_model_card
from kd_kedro.pipelines.reporting.nodes import (
    gather_histories,
    pick_curation_examples,
    pick_instructive_examples,
    plot_evidence,
    write_report,
)


def create_pipeline() -> Pipeline:
    """Return the reporting pipeline."""
    return Pipeline(
        [
            Node(
                func=pick_curation_examples,
                inputs={
                    "row_events": "row_events",
                    "row_texts": "row_texts",
                    "personal_data_summary": "personal_data_summary",
                    "report": "params:reporting",
                },
                outputs="curation_examples",
                name="pick_curation_examples",
            ),
            Node(
                func=pick_instructive_examples,
                inputs={
                    "validation_results": "validation_results",
                    "report": "params:reporting",
                },
                outputs="instructive_examples",
                name="pick_instructive_examples",
            ),
            Node(
                func=gather_histories,
                inputs={
                    "teacher_history": "teacher_history",
                    "baseline_history": "baseline_history",
                    "student_history": "student_history",
                },
                outputs="training_histories",
                name="gather_histories",
            ),
            Node(
                func=write_report,
                inputs={
                    "evidence": "evidence",
                    "run_identity": "run_identity",
                    "evaluation_facts": "evaluation_facts",
                    "instructive_examples": "instructive_examples",
                    "curation_examples": "curation_examples",
                    "training_histories": "training_histories",
                    "tuning_record": "tuning_record",
                    "baseline_tuning_record": "baseline_tuning_record",
                    "student": "params:distillation.student",
                    "report": "params:reporting",
                },
                outputs="report",
                name="write_report",
            ),
            Node(
                func=write_model_card,
                inputs={
                    "evidence": "evidence",
                    "run_identity": "run_identity",
                    "evaluation_facts": "evaluation_facts",
                    "validation_results": "validation_results",
                    "wording": "params:reporting",
                },
                outputs="model_card",
                name="write_model_card",
            ),
            Node(
                func=plot_evidence,
                inputs={"evidence": "evidence"},
                outputs=["models_plot", "power_plot", "reliability_plot", "pareto_plot"],
                name="plot_evidence",
            ),
        ]
    )
