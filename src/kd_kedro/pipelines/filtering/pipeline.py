"""The filtering pipeline: rows that do not belong, duplicates and contradictions."""

from kedro.pipeline import Node, Pipeline

from kd_kedro.curation.records.lineage import collect_events
from kd_kedro.pipelines.filtering.nodes import (
    describe_relevance,
    find_neighbours,
    keep_survivors,
    remove_outliers,
    score_relevance,
    sort_out_duplicates,
)

# As in preprocessing: what each stage lets out.
STAGES = {"soap": "soap_qa", "deduplication": "deduplication_rephrasing"}


def create_pipeline() -> Pipeline:
    """Return the filtering pipeline."""
    return Pipeline(
        [
            Node(
                score_relevance,
                inputs=["review_labels", "sentence_embedder", "params:filtering.soap"],
                outputs=["relevance_scores", "review_queue", "abstention_facts"],
                name="score_relevance",
            ),
            Node(
                remove_outliers,
                inputs=[
                    "converted_mcq",
                    "relevance_scores",
                    "text_generator",
                    "params:filtering.soap",
                ],
                outputs=["soap_qa", "discarded_rows", "soap_events"],
                name="remove_outliers",
            ),
            Node(
                describe_relevance,
                inputs=["converted_mcq", "soap_qa", "relevance_scores", "abstention_facts"],
                outputs="relevance_facts",
                name="describe_relevance",
            ),
            Node(
                find_neighbours,
                inputs=[
                    "soap_qa",
                    "sentence_embedder",
                    "params:filtering.deduplication",
                    "params:augmentation.split.threshold",
                ],
                outputs="near_pairs",
                name="find_neighbours",
            ),
            Node(
                sort_out_duplicates,
                inputs=[
                    "soap_qa",
                    "near_pairs",
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
            Node(
                collect_events,
                inputs=[f"{stage}_events" for stage in STAGES],
                outputs="filtering_events",
                name="collect_filtering_events",
            ),
        ]
    )
