"""The tuning pipeline."""

from kd_kedro.pipelines.tuning.params import TuningParams
from kd_kedro.pipelines.tuning.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = TuningParams
