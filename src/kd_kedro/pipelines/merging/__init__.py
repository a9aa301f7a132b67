"""The merging pipeline."""

from kd_kedro.pipelines.merging.pipeline import create_pipeline

__all__ = ["create_pipeline"]
