"""The preprocessing pipeline: validate, review, repair, open the closed formats."""

from kedro.pipeline import Node, Pipeline

from kd_kedro.curation.records.lineage import collect_events
from kd_kedro.pipelines.preprocessing.nodes import (
    clean_text,
    collect_quarantined,
    convert_blanks,
    convert_choices,
    review_rows,
    screen_personal_data,
    validate_rows,
)

# What each stage lets out, in their order. A stage's events are the table `{stage}_events`;
# waterfall, trace and report follow this order.
STAGES = {
    "validation": "validated_qa",
    "review": "reviewed_qa",
    "cleaning": "cleaned_qa",
    "personal_data": "screened_qa",
    "fitb": "fitb_rephrased",
    "mcq": "converted_mcq",
}


def create_pipeline() -> Pipeline:
    """Return the preprocessing pipeline."""
    return Pipeline(
        [
            Node(
                validate_rows,
                inputs=[
                    "raw_qa",
                    "mended_qa",
                    "params:preprocessing.validation",
                    "params:preprocessing.review",
                ],
                outputs=["validated_qa", "validation_quarantined", "validation_events"],
                name="validate_rows",
            ),
            Node(
                review_rows,
                inputs=["validated_qa", "params:preprocessing.review"],
                outputs=["reviewed_qa", "review_labels", "review_events"],
                name="review_rows",
            ),
            Node(
                clean_text,
                inputs=["reviewed_qa", "params:preprocessing.cleaning"],
                outputs=["cleaned_qa", "cleaning_quarantined", "cleaning_events"],
                name="clean_text",
            ),
            Node(
                collect_quarantined,
                inputs=["validated_qa", "validation_quarantined", "cleaning_quarantined"],
                outputs="quarantined_rows",
                name="collect_quarantined",
            ),
            Node(
                screen_personal_data,
                inputs=["cleaned_qa", "validated_qa", "params:preprocessing.personal_data"],
                outputs=[
                    "screened_qa",
                    "personal_data",
                    "personal_data_summary",
                    "personal_data_events",
                ],
                name="screen_personal_data",
            ),
            Node(
                convert_blanks,
                inputs=["screened_qa", "text_generator", "params:preprocessing.rewriting"],
                outputs=["fitb_rephrased", "fitb_events"],
                name="convert_blanks",
            ),
            Node(
                convert_choices,
                inputs=[
                    "fitb_rephrased",
                    "text_generator",
                    "params:preprocessing.choices",
                    "params:preprocessing.rewriting",
                ],
                outputs=["converted_mcq", "mcq_events"],
                name="convert_choices",
            ),
            Node(
                collect_events,
                inputs=[f"{stage}_events" for stage in STAGES],
                outputs="preprocessing_events",
                name="collect_preprocessing_events",
            ),
        ]
    )
