"""The merging pipeline, in a run only where it is asked for."""

from kedro.pipeline import Node, Pipeline

from kd_kedro.pipelines.merging.nodes import merge_student


def create_pipeline() -> Pipeline:
    """Return the merging pipeline: a student with an adapter becomes a plain model."""
    return Pipeline(
        [Node(merge_student, {"student": "student"}, "merged_student", name="merge_student")]
    )
