"""A gain is split into what the start gives and what the targets add, and held against compute."""

import numpy as np
import pytest

from kd_kedro.metrics.comparison.attribution import attribute
from kd_kedro.metrics.comparison.paired_scores import scores_of
from kd_kedro.metrics.scores.formatting import attribution_sentence
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


TWINS = ["patient_given", "patient_given", "patient_counted", "patient_counted"]


def test_the_student_is_compared_with_twins_that_had_all_its_compute():
    found = scores(MODELS[:5] + TWINS, [*LOSSES[:5], 1.2, 1.3, 0.9, 1.0])
    parts = attribute(PERPLEXITY, found, level=0.05, refusal="")
    assert set(parts) == {"patient"}
    given, counted = (parts["patient"][f"teacher_{account}"] for account in ("given", "counted"))
    assert (given["difference"], counted["difference"]) == pytest.approx((-0.2, 0.1))
    assert (given["conclusion"], counted["conclusion"]) == ("better", "worse")
    one_seed = scores(MODELS[:5] + TWINS[:1], [*LOSSES[:5], 1.2])
    assert attribute(PERPLEXITY, one_seed, level=0.05, refusal="") == {}


def sentence(models, losses):
    parts = attribute(PERPLEXITY, scores(models, losses), level=0.05, refusal="")
    metrics = {"perplexity": {"attribution": parts}}
    return attribution_sentence({"primary": ["perplexity"], "metrics": metrics})


@pytest.mark.parametrize(
    ("untaught", "said"),
    [
        (1.3, "by the targets."),
        (1.0, "by the targets. Beyond its start the targets bring no gain that is shown."),
        (
            0.9,
            "by the targets. Beyond its start the targets bring no gain that is shown, and cost "
            "some in perplexity.",
        ),
    ],
)
def test_it_is_said_whether_the_targets_bring_anything_beyond_the_start(untaught, said):
    assert sentence(MODELS, [*LOSSES[:5], untaught, untaught + 0.1]).endswith(said)


@pytest.mark.parametrize(
    ("patient", "said"),
    [
        (1.2, "would not have bought this: against it the student has perplexity -18.1 %"),
        (1.0, "is not shown to buy less or more: against it the student has perplexity 0.0 %"),
        (0.8, "would have bought more: against it the student has perplexity +22.1 %"),
    ],
)
def test_it_is_said_whether_the_same_compute_would_have_bought_the_gain(patient, said):
    losses = [*LOSSES[:5], patient, patient + 0.1]
    for twin, account in (("given", "not counted"), ("counted", "counted")):
        found = sentence(MODELS[:5] + [f"patient_{twin}"] * 2, losses)
        start = f"with the same compute, the teacher's training {account}, {said}"
        assert start in found
    assert sentence(MODELS[:5], LOSSES[:5]) == ""
