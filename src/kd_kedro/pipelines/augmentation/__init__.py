"""The augmentation pipeline."""

from kd_kedro.pipelines.augmentation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
