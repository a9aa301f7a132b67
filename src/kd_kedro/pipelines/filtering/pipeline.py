"""The filtering pipeline: rows that do not belong, duplicates and contradictions."""

from kedro.pipeline import Node, Pipeline

from kd_kedro.pipelines.filtering.nodes import keep_survivors, sort_out_duplicates
from kd_kedro.pipelines.filtering.soap import remove_outliers


def create_pipeline() -> Pipeline:
    """Return the filtering pipeline."""
    return Pipeline(
        [
            Node(
                remove_outliers,
                inputs=[
                    "converted_mcq",
                    "validated_qa",
                    "sentence_embedder",
                    "text_generator",
                    "params:filtering.soap",
                    "params:preprocessing.review",
                ],
                outputs=["soap_qa", "discarded_rows", "review_queue", "soap_events"],
                name="remove_outliers",
            ),
            Node(
                sort_out_duplicates,
                inputs=[
                    "soap_qa",
                    "validated_qa",
                    "sentence_embedder",
                    "params:filtering.deduplication",
                ],
                outputs=[
                    "exact_duplicate_qa_pairs",
                    "same_question_diff_answers",
                    "same_answer_diff_questions",
                ],
                name="sort_out_duplicates",
            ),
            Node(
                keep_survivors,
                inputs=[
                    "soap_qa",
                    "exact_duplicate_qa_pairs",
                    "same_question_diff_answers",
                    "same_answer_diff_questions",
                    "text_generator",
                    "params:filtering.deduplication",
                ],
                outputs=["deduplication_rephrasing", "deduplication_events"],
                name="keep_survivors",
            ),
        ]
    )
