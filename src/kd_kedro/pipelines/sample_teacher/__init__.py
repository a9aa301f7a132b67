"""The sample_teacher pipeline."""

from kd_kedro.pipelines.sample_teacher.params import SampleTeacherParams
from kd_kedro.pipelines.sample_teacher.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = SampleTeacherParams
