"""The filtering pipeline."""

from kd_kedro.pipelines.filtering.params import FilteringParams
from kd_kedro.pipelines.filtering.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = FilteringParams
