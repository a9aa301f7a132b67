"""The reporting pipeline."""

from kd_kedro.pipelines.reporting.params import ReportParams
from kd_kedro.pipelines.reporting.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = ReportParams
