"""The evaluation pipeline: answers, verdict, compression, and the report that tells them."""

from kedro.pipeline import Pipeline, node

from kd_kedro.pipelines.evaluation.data_quality import measure_curation, pick_curation_examples
from kd_kedro.pipelines.evaluation.nodes import (
    answer_held_out,
    judge_student,
    measure_compression,
    slice_results,
    write_lm_eval_tasks,
)
from kd_kedro.pipelines.evaluation.reporting import (
    gather_histories,
    plot_models,
    plot_pareto,
    write_report,
)


def create_pipeline() -> Pipeline:
    """Return the evaluation pipeline."""
    return Pipeline(
        [
            node(
                answer_held_out,
                [
                    "augmented_qa",
                    "teacher",
                    "baseline_student",
                    "student",
                    "student_seeds",
                    "params:evaluation.answering",
                ],
                ["validation_results", "evaluation_facts"],
                name="answer_held_out",
            ),
            node(
                judge_student,
                ["validation_results", "params:evaluation.verdict"],
                "verdict",
                name="judge_student",
            ),
            node(
                write_lm_eval_tasks,
                ["augmented_qa", "student", "params:evaluation.answering"],
                "lm_eval_tasks",
                name="write_lm_eval_tasks",
            ),
            node(
                measure_compression,
                ["augmented_qa", "teacher", "student", "params:evaluation.compression"],
                ["compression", "student_onnx"],
                name="measure_compression",
            ),
            node(
                measure_curation,
                [
                    "final_qa_truth",
                    "row_events",
                    "validated_qa",
                    "review_queue",
                    "reviewed_qa",
                    "cleaned_qa",
                    "fitb_rephrased",
                    "converted_mcq",
                ],
                "filter_quality",
                name="measure_curation",
            ),
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
                    "params:evaluation.report",
                ],
                "curation_examples",
                name="pick_curation_examples",
            ),
            node(
                slice_results,
                ["validation_results", "converted_mcq", "final_qa_truth"],
                "slices",
                name="slice_results",
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
                    "validation_results",
                    "evaluation_facts",
                    "verdict",
                    "compression",
                    "filter_quality",
                    "curation_examples",
                    "personal_data_summary",
                    "slices",
                    "row_waterfall",
                    "training_histories",
                    "tuning_record",
                    "params:distillation.student",
                    "params:evaluation.slices",
                    "params:evaluation.report",
                    "params:evaluation.verdict",
                ],
                "report",
                name="write_report",
            ),
            node(
                plot_models,
                "verdict",
                "models_plot",
                name="plot_models",
            ),
            node(
                plot_pareto,
                "compression",
                "pareto_plot",
                name="plot_pareto",
            ),
        ]
    )
