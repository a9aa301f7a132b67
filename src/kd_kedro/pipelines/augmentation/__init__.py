"""The augmentation pipeline."""

from kd_kedro.pipelines.augmentation.params import AugmentationParams
from kd_kedro.pipelines.augmentation.pipeline import create_pipeline

__all__ = ["PARAMETERS", "RENAMED", "create_pipeline"]

PARAMETERS = AugmentationParams
RENAMED = {
    "augmentation.versions": "augmentation.rewriting",
    "augmentation.versions.versions": "augmentation.rewriting.styles",
}
