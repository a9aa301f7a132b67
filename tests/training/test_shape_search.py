"""Which shape is taken, and what is measured of each."""

import math

import pytest
import torch

from kd_kedro.models import build as models
from kd_kedro.models.model_config import PruningConfig
from kd_kedro.models.pruning.shape import Shape
from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.training.shape_search import (
    Candidate,
    best_candidate,
    check_outline,
    list_candidates,
)
from tests.training.architectures import build, save
from tests.training.tiny import tiny_model

SHAPES = [Shape(depth, 8, 1, 16) for depth in (1, 2, 3)]
LISTED = [Candidate(shape, 100, 0.5, 1.0, 0.7) for shape in SHAPES]


def taken(losses):
    """The number of layers of the model that is taken, its weight, and the candidates' losses."""

    def cut(shape):
        return torch.nn.Linear(1, shape.num_hidden_layers, bias=False)

    def train(model):
        model.weight.data.fill_(math.pi)
        return losses[model.out_features - 1]

    model, trained = best_candidate(LISTED, cut, train)
    assert not (model.weight == math.pi).any()  # it is the one that was not trained
    assert [each.taken for each in trained].index(True) + 1 == model.out_features
    assert sum(each.taken for each in trained) == 1
    return model.out_features, [each.validation_loss for each in trained]


def test_the_shape_of_the_least_loss_is_taken_untrained():
    assert taken([0.5, 0.3, 0.4]) == (2, [0.5, 0.3, 0.4])


def test_of_equal_shapes_the_first_is_taken():
    assert taken([0.3, 0.3, 0.3])[0] == 1


def test_a_training_that_diverged_is_not_taken():
    assert taken([math.nan, 0.6, math.inf]) == (2, [None, 0.6, None])
    with pytest.raises(ValueError, match=r"from_teacher\.search_learning_rate: .* diverged; lower"):
        taken([math.nan] * 3)


def test_candidates_are_listed_with_parameters_bytes_and_latency(tokenizer):
    teacher = tiny_model(tokenizer)
    before = weights_fingerprint(teacher)
    found = list_candidates(teacher, PruningConfig(parameters=0.8))
    whole = sum(weight.numel() for weight in teacher.parameters())
    assert weights_fingerprint(teacher) == before
    for each in found:
        assert each.parameters_share == each.parameters / whole <= 0.8
        assert min(each.latency_ms, each.latency_share) > 0
        told = each.figures(timed=False)
        assert told["bytes"] == 4 * each.parameters
        assert told["num_hidden_layers"] == each.shape.num_hidden_layers
        assert told["validation_loss"] is None
        assert not any("latency" in key for key in told)
        assert each.figures(timed=True)["latency_ms"] == each.latency_ms


@pytest.mark.parametrize("kind", ["gpt2", "llama", "t5"])
def test_a_latency_that_no_shape_meets_is_refused_by_the_outline_alone(kind, tokenizer, tmp_path):
    folder = save(tmp_path / kind, build(kind, tokenizer), tokenizer)
    outline = models.outline(folder, "teacher.pretrained")
    with pytest.raises(
        ValueError, match=r"from_teacher\.latency is 1e-06, .* of its latency: give"
    ):
        check_outline(outline, PruningConfig(latency=1e-6))


def test_a_latency_bounds_what_is_measured(tokenizer, monkeypatch):
    """A layer takes 0.2 of the teacher's time, whatever its width."""
    monkeypatch.setattr(
        "kd_kedro.training.shape_search._latencies",
        lambda _: lambda shape: (1.0, 0.2 * shape.num_hidden_layers),
    )
    teacher = tiny_model(tokenizer, layers=4)
    (found,) = list_candidates(teacher, PruningConfig(latency=0.5))
    assert found.shape == Shape(2, 16, 2, 64)
    assert (found.latency_ms, found.latency_share) == (1.0, 0.4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"parameters": 0.5, "latency": 0.5}, "parameters and latency are two budgets"),
        ({"parameters": 1.5}, "less than or equal to 1"),
        ({"latency": 0}, "greater than 0"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        PruningConfig.model_validate(given)


def test_a_budget_stands_in_place_of_sizes():
    """conf/base gives sizes, which nobody should have to take back one by one."""
    config = PruningConfig(hidden_size=8, parameters=0.5)
    assert (config.hidden_size, config.budget) == (None, ("parameters", 0.5))
    assert PruningConfig(hidden_size=8, parameters=None).hidden_size == 8
