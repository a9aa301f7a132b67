"""The filtering pipeline."""

from kd_kedro.pipelines.filtering.pipeline import create_pipeline

__all__ = ["create_pipeline"]
