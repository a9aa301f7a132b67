"""The distillation pipeline."""

from kd_kedro.pipelines.distillation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
