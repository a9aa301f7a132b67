"""The tuning pipeline."""

from kd_kedro.pipelines.tuning.pipeline import create_pipeline

__all__ = ["create_pipeline"]
