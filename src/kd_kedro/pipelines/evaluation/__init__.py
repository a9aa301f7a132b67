"""The evaluation pipeline."""

from kd_kedro.pipelines.evaluation.params import EvaluationParams
from kd_kedro.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["PARAMETERS", "RENAMED", "create_pipeline"]

PARAMETERS = EvaluationParams
RENAMED = {
    "evaluation.report": "reporting",
    "evaluation.honesty": "evaluation.leakage",
    "evaluation.slices.examples": "reporting.instructive_examples",
}
