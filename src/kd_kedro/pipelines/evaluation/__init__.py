"""The evaluation pipeline."""

from kd_kedro.pipelines.evaluation.held_out_size import doubt_before_node
from kd_kedro.pipelines.evaluation.params import EvaluationParams
from kd_kedro.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["PARAMETERS", "RENAMED", "create_pipeline", "doubt_before_node"]

PARAMETERS = EvaluationParams
RENAMED = {
    "evaluation.report": "reporting",
    "evaluation.honesty": "evaluation.leakage",
    "evaluation.slices.examples": "reporting.instructive_examples",
}
