"""The filtering pipeline."""

from kd_kedro.pipelines.filtering.params import FilteringParams
from kd_kedro.pipelines.filtering.pipeline import create_pipeline

__all__ = ["PARAMETERS", "RENAMED", "create_pipeline"]

PARAMETERS = FilteringParams
RENAMED = {"filtering.soap.min_togetherness": "filtering.soap.min_autocorrelation"}
