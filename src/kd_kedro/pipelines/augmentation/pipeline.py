"""The augmentation pipeline: split families, add rewrites, close the account of the rows."""

from kedro.pipeline import Node, Pipeline

from kd_kedro.curation.records.lineage import collect_events
from kd_kedro.pipelines.augmentation.nodes import (
    augment_rows,
    collect_row_texts,
    make_waterfall,
    split_rows,
)
from kd_kedro.pipelines.filtering import pipeline as filtering
from kd_kedro.pipelines.preprocessing import pipeline as preprocessing

_BEFORE = {**preprocessing.STAGES, **filtering.STAGES}
# All stages in their order, with what each lets out.
STAGES = {**_BEFORE, "split": "split_qa", "augmentation": "augmented_qa"}


def create_pipeline() -> Pipeline:
    """Return the augmentation pipeline."""
    return Pipeline(
        [
            Node(
                split_rows,
                inputs=[
                    "deduplication_rephrasing",
                    "soap_qa",
                    "near_pairs",
                    "screened_qa",
                    "sentence_embedder",
                    "params:augmentation.split",
                    "params:filtering.deduplication",
                ],
                outputs=["split_qa", "split_events"],
                name="split_rows",
            ),
            Node(
                augment_rows,
                inputs=[
                    "split_qa",
                    "text_generator",
                    "sentence_embedder",
                    "params:augmentation.rewriting",
                ],
                outputs=["augmented_qa", "augmentation_events"],
                name="augment_rows",
            ),
            Node(
                collect_events,
                inputs=[
                    "preprocessing_events",
                    "filtering_events",
                    "split_events",
                    "augmentation_events",
                ],
                outputs="row_events",
                name="collect_events",
            ),
            Node(
                make_waterfall,
                inputs="row_events",
                outputs=["row_waterfall", "waterfall_plot"],
                name="make_waterfall",
            ),
            Node(
                collect_row_texts,
                inputs={"quarantined_rows": "quarantined_rows", **_BEFORE},
                outputs="row_texts",
                name="collect_row_texts",
            ),
        ]
    )
