"""A gain is split into what the start gives and what the targets add."""

import numpy as np
import pytest

from kd_kedro.metrics.comparison.attribution import attribute
from kd_kedro.metrics.comparison.paired_scores import scores_of
from kd_kedro.metrics.scores.metric_table import METRICS

PERPLEXITY = next(metric for metric in METRICS if metric.name == "perplexity")
MODELS = ["teacher", "baseline", "baseline", "student", "student", "cut_untaught", "cut_untaught"]
LOSSES = [0.5, 2.0, 2.1, 1.0, 1.1, 1.3, 1.4]  # nats a token, the same in every family


def scores(models=MODELS, losses=LOSSES):
    sums = np.array([[[loss * 10, 10.0]] * 40 for loss in losses])
    return scores_of(PERPLEXITY, sums, models, draws=500, seed=0)


def test_the_parts_are_the_whole_in_nats_a_token():
    parts = attribute(PERPLEXITY, scores(), level=0.05, refusal="")
    assert parts["start"]["difference"] == pytest.approx(-0.7)
    assert parts["targets"]["difference"] == pytest.approx(-0.3)
    for part in parts.values():
        assert part["low"] <= part["difference"] <= part["high"] < 0
        assert part["conclusion"] == "better"


def test_targets_that_cost_something_are_worse():
    losses = [0.5, 2.0, 2.1, 1.3, 1.4, 1.0, 1.1]
    parts = attribute(PERPLEXITY, scores(losses=losses), level=0.05, refusal="")
    assert parts["targets"]["conclusion"] == "worse"


def test_there_are_no_parts_where_no_start_is_left_untaught_or_nothing_is_judged():
    assert attribute(PERPLEXITY, scores(MODELS[:5], LOSSES[:5]), level=0.05, refusal="") == {}
    assert attribute(PERPLEXITY, scores(MODELS[:6], LOSSES[:6]), level=0.05, refusal="") == {}
    assert attribute(PERPLEXITY, scores(), level=0.05, refusal="too few families") == {}
