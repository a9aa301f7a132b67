"""The distillation pipeline."""

from kd_kedro.pipelines.distillation.groups import DistillationParams
from kd_kedro.pipelines.distillation.pipeline import create_pipeline
from kd_kedro.pipelines.distillation.preflight import check_before_run

__all__ = ["PARAMETERS", "check_before_run", "create_pipeline"]

PARAMETERS = DistillationParams
