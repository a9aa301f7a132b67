"""Fixtures that tests of several pipelines share."""

from tests.pipelines.finished_evaluation import evaluation_inputs, finished_evaluation

__all__ = ["evaluation_inputs", "finished_evaluation"]
