"""The fabrication pipeline: a sheet with every defect of real ones, and the truth about it."""

from kedro.pipeline import Pipeline, node

from kd_kedro.pipelines.fabrication.nodes import fabricate_sheet


def create_pipeline() -> Pipeline:
    """Return the fabrication pipeline."""
    return Pipeline(
        [
            node(
                fabricate_sheet,
                inputs=["fabrication_vocabulary", "params:fabrication"],
                outputs=["fabricated_qa", "final_qa_truth"],
                name="fabricate_sheet",
            ),
        ]
    )
