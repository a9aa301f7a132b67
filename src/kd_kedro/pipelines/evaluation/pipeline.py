"""The evaluation pipeline: answers, verdict, compression, and the evidence that holds them."""

from kedro.pipeline import Node, Pipeline

from kd_kedro.pipelines.evaluation.data_quality import measure_curation
from kd_kedro.pipelines.evaluation.evidence_gathering import (
    describe_answers,
    gather_curation,
    gather_evidence,
)
from kd_kedro.pipelines.evaluation.nodes import (
    answer_held_out,
    choose_held_out_examples,
    compare_with_train,
    judge_student,
    measure_compression,
    measure_power,
    slice_results,
    write_lm_eval_tasks,
)


def create_pipeline() -> Pipeline:
    """Return the evaluation pipeline."""
    return Pipeline([*_verdict(), *_descriptions(), *_curation(), _evidence()])


def _verdict() -> list[Node]:
    """Return what leads from the held-out rows to the verdict."""
    return [
        Node(
            func=choose_held_out_examples,
            inputs={
                "augmented_qa": "augmented_qa",
                "answering": "params:evaluation.answering",
                "examples": "params:distillation.examples",
            },
            outputs="held_out_examples",
            name="choose_held_out",
        ),
        Node(
            func=answer_held_out,
            inputs={
                "held_out_examples": "held_out_examples",
                "augmented_qa": "augmented_qa",
                "teacher": "teacher",
                "baseline_student": "baseline_student",
                "student": "student",
                "student_seeds": "student_seeds",
                "control_models": "control_models",
                "sentence_embedder": "sentence_embedder",
                "answering": "params:evaluation.answering",
            },
            outputs=["validation_results", "evaluation_facts"],
            name="answer_held_out",
        ),
        Node(
            func=judge_student,
            inputs={
                "validation_results": "validation_results",
                "verdict": "params:evaluation.verdict",
            },
            outputs="verdict",
            name="judge_student",
        ),
        Node(
            func=measure_power,
            inputs={
                "validation_results": "validation_results",
                "verdict": "params:evaluation.verdict",
            },
            outputs="power_facts",
            name="measure_power",
        ),
    ]


def _descriptions() -> list[Node]:
    """Return what is measured of the models beside the verdict."""
    return [
        Node(
            func=compare_with_train,
            inputs={
                "held_out_examples": "held_out_examples",
                "augmented_qa": "augmented_qa",
                "sentence_embedder": "sentence_embedder",
                "leakage": "params:evaluation.leakage",
            },
            outputs="train_overlap",
            name="compare_with_train",
        ),
        Node(
            func=write_lm_eval_tasks,
            inputs={
                "held_out_examples": "held_out_examples",
                "student": "student",
                "run_identity": "run_identity",
                "answering": "params:evaluation.answering",
            },
            outputs="lm_eval_tasks",
            name="write_lm_eval_tasks",
        ),
        Node(
            func=measure_compression,
            inputs={
                "held_out_examples": "held_out_examples",
                "teacher": "teacher",
                "student": "student",
                "compression": "params:evaluation.compression",
            },
            outputs=["compression", "student_variants"],
            name="measure_compression",
        ),
        Node(
            func=slice_results,
            inputs={
                "validation_results": "validation_results",
                "held_out_examples": "held_out_examples",
                "converted_mcq": "converted_mcq",
                "final_qa_truth": "final_qa_truth",
                "train_overlap": "train_overlap",
                "sentence_embedder": "sentence_embedder",
                "slices": "params:evaluation.slices",
                "leakage": "params:evaluation.leakage",
            },
            outputs="slices",
            name="slice_results",
        ),
        Node(
            func=describe_answers,
            inputs={
                "validation_results": "validation_results",
                "train_overlap": "train_overlap",
                "slices": "slices",
                "choices": "params:evaluation.slices",
                "leakage": "params:evaluation.leakage",
            },
            outputs="answer_facts",
            name="describe_answers",
        ),
    ]


def _curation() -> list[Node]:
    """Return what is measured of the curation."""
    return [
        Node(
            func=measure_curation,
            inputs={
                "final_qa_truth": "final_qa_truth",
                "row_events": "row_events",
                "row_texts": "row_texts",
                "review_queue": "review_queue",
            },
            outputs="filter_quality",
            name="measure_curation",
        ),
        Node(
            func=gather_curation,
            inputs={
                "filter_quality": "filter_quality",
                "row_waterfall": "row_waterfall",
                "personal_data_summary": "personal_data_summary",
                "relevance_facts": "relevance_facts",
                "final_qa_truth": "final_qa_truth",
                "row_events": "row_events",
            },
            outputs="curation_facts",
            name="gather_curation",
        ),
    ]


def _evidence() -> Node:
    return Node(
        func=gather_evidence,
        inputs={
            "evaluation_facts": "evaluation_facts",
            "verdict": "verdict",
            "power": "power_facts",
            "answer_facts": "answer_facts",
            "compression": "compression",
            "curation": "curation_facts",
            "judging": "params:evaluation.verdict",
            "length_facts": "length_facts",
            "student_length_facts": "student_length_facts",
            "answers_from": "params:distillation.sequence_level.source",
            "start_facts": "start_facts",
        },
        outputs="evidence",
        name="gather_evidence",
    )
