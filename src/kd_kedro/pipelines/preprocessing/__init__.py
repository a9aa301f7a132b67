"""The preprocessing pipeline."""

from kd_kedro.pipelines.preprocessing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
