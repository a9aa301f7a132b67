"""The evaluation pipeline: answers, verdict, compression, and the evidence that holds them."""

from kedro.pipeline import Pipeline, node

from kd_kedro.pipelines.evaluation.data_quality import measure_curation
from kd_kedro.pipelines.evaluation.evidence_gathering import gather_evidence
from kd_kedro.pipelines.evaluation.nodes import (
    answer_held_out,
    compare_with_train,
    judge_student,
    measure_compression,
    measure_power,
    slice_results,
    write_lm_eval_tasks,
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
                    "control_models",
                    "sentence_embedder",
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
                measure_power,
                ["validation_results", "params:evaluation.verdict"],
                "power",
                name="measure_power",
            ),
            node(
                compare_with_train,
                [
                    "augmented_qa",
                    "sentence_embedder",
                    "params:evaluation.answering",
                    "params:evaluation.honesty",
                ],
                "train_overlap",
                name="compare_with_train",
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
                slice_results,
                [
                    "validation_results",
                    "augmented_qa",
                    "converted_mcq",
                    "final_qa_truth",
                    "train_overlap",
                    "sentence_embedder",
                    "params:evaluation.slices",
                    "params:evaluation.honesty",
                ],
                "slices",
                name="slice_results",
            ),
            node(
                gather_evidence,
                [
                    "validation_results",
                    "evaluation_facts",
                    "verdict",
                    "power",
                    "compression",
                    "train_overlap",
                    "slices",
                    "filter_quality",
                    "row_waterfall",
                    "params:evaluation.slices",
                    "params:evaluation.honesty",
                    "params:evaluation.verdict",
                ],
                "evidence",
                name="gather_evidence",
            ),
        ]
    )
