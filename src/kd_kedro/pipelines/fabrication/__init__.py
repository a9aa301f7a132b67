"""The fabrication pipeline."""

from kd_kedro.pipelines.fabrication.pipeline import create_pipeline

__all__ = ["create_pipeline"]
