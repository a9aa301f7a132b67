"""The search space: what may be in it, and what is refused before anything runs."""

import pytest
import yaml
from pydantic import ValidationError

from kd_kedro.pipelines.tuning.params import NumberParams, TuningParams
from tests.pipelines.tuning.quadratic import CONF, params

NONE = {"low": None, "high": None, "log": False, "choices": [], "fixed": None}


@pytest.mark.parametrize(
    ("number", "values", "searched"),
    [
        ({"low": 1.0, "high": 3.0}, (1.0, 2.0, 3.0), True),
        ({"low": 1.0, "high": 3.0, "choices": [5.0, 6.0]}, (5.0, 6.0), True),
        ({"low": 1.0, "high": 3.0, "choices": [5.0]}, (5.0,), False),
        ({"low": 1.0, "high": 3.0, "choices": [5.0, 6.0], "fixed": 7.0}, (7.0,), False),
        ({}, (), False),
    ],
)
def test_fixed_wins_over_choices_and_choices_over_the_range(number, values, searched):
    found = NumberParams.model_validate(NONE | number)
    assert found.values == values
    assert found.searched is searched


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"alpha": NONE | {"low": 0.5}}, "low and high go together"),
        ({"alpha": NONE | {"low": 0.5, "high": 0.5}}, "low 0.5 must be less than high 0.5"),
        ({"beta": NONE | {"low": 0, "high": 1, "log": True}}, "low 0 has no logarithm"),
        ({"alpha": NONE | {"low": -1, "high": 1}}, "alpha -1: Input should be greater"),
        ({"temperature": NONE | {"fixed": 0}}, "temperature 0: Input should be greater than 0"),
        ({"learning_rate": NONE | {"choices": [0.1, 2]}}, "learning_rate 2: .* less than or eq"),
        ({"divergence": {"choices": ["kl"], "fixed": None}}, "Input should be 'forward_kl'"),
        ({"alpha": NONE | {"fixed": 0}, "beta": NONE | {"choices": [0, 1]}}, "may both be 0"),
        (
            dict.fromkeys(("alpha", "beta", "learning_rate"), NONE)
            | {"divergence": {"choices": ["jsd"], "fixed": None}},
            "there is nothing to search",
        ),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(space, said):
    with pytest.raises(ValidationError, match=said):
        params(space=space)


def test_parameters_in_yaml_are_the_models_fields():
    written = yaml.safe_load((CONF / "base/tuning/parameters.yml").read_text())["tuning"]
    assert set(written) <= set(TuningParams.model_fields)
    TuningParams.model_validate(written)
