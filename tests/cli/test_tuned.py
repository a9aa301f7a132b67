"""`--tuned`: the best values become parameters, where they belong to the run."""

import json

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node

from kd_kedro.cli.tuned import BEST, nested, tuned_parameters
from kd_kedro.runs.provenance import expected_provenance, version_folder, write_provenance


def search(size, objective, tuning):
    return {}


FULL = Pipeline(
    [node(search, ["params:size", "params:distillation.objective", "params:tuning"], BEST)]
)
PARAMETERS = {
    "params:size": 3,
    "params:distillation.objective": {"alpha": 0.5, "beta": 0.5},
    "params:tuning": {"trials": 2, "space": {"alpha": {"low": 0.0}}},
}
FOUND = {
    "parameters": {"distillation.objective.alpha": 0.125},
    "trial": 7,
    "validation_loss": 1.5,
}


def catalog_of(folder, changed=None):
    entry = {"type": "json.JSONDataset", "filepath": str(folder / "best.json"), "versioned": True}
    catalog = DataCatalog.from_config({BEST: entry})
    for name, value in (PARAMETERS | (changed or {})).items():
        catalog[name] = value
    return catalog


@pytest.fixture
def made(tmp_path):
    catalog = catalog_of(tmp_path)
    catalog.save(BEST, FOUND)
    provenance = expected_provenance(BEST, FULL, catalog, {}, {})
    write_provenance(version_folder(catalog, BEST, "save"), provenance)
    return tmp_path


def tuned(folder, changed=None, explicit=None):
    catalog = catalog_of(folder, changed)
    return tuned_parameters(catalog, {}, FULL, explicit or {}, {"tuning.trials"})


def test_the_best_values_become_parameters_beside_those_given(made):
    given = {"size": 3, "distillation": {"training": {"epochs": 2}}}
    params, line = tuned(made, explicit=given)
    objective = {"alpha": 0.125}
    assert params == {
        "size": 3,
        "distillation": {"training": {"epochs": 2}, "objective": objective},
    }
    assert "distillation.objective.alpha=0.125 (trial 7" in line
    assert "validation loss 1.5000" in line


def test_the_line_tells_of_the_baselines_trial(made):
    found = {
        **FOUND,
        "parameters": {
            **FOUND["parameters"],
            "distillation.controls.baseline.learning_rate": 0.002,
        },
        "baseline": {"trial": 3, "validation_loss": 2.5},
    }
    catalog = catalog_of(made)
    catalog.save(BEST, found)
    write_provenance(
        version_folder(catalog, BEST, "save"), expected_provenance(BEST, FULL, catalog, {}, {})
    )
    params, line = tuned(made)
    assert params["distillation"]["controls"] == {"baseline": {"learning_rate": 0.002}}
    assert "distillation.controls.baseline.learning_rate=0.002 (trial 7" in line
    assert "validation loss 1.5000; of the baseline trial 3, 2.5000)" in line


def test_what_is_given_wins_and_is_named(made):
    given = {"distillation": {"objective": {"alpha": 0.9}}}
    changed = {"params:distillation.objective": {"alpha": 0.9, "beta": 0.5}}
    params, line = tuned(made, changed, given)
    assert params == given
    assert line.endswith("--params win for distillation.objective.alpha")


def test_more_trials_and_other_tuned_values_are_the_same_study(made):
    changed = {"params:tuning": {"trials": 9, "space": {"alpha": {"low": 0.0}}}}
    assert tuned(made, changed)[0]["distillation"]["objective"]["alpha"] == 0.125


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"params:size": 4}, "parameter size was 3 and is 4 now"),
        (
            {"params:tuning": {"trials": 2, "space": {"alpha": {"low": 0.1}}}},
            r"parameter tuning\.space\.alpha\.low was 0\.0 and is 0\.1 now",
        ),
    ],
)
def test_values_of_other_parameters_or_another_space_are_refused(made, changed, said):
    with pytest.raises(ValueError, match=rf"--tuned: .* belong to other .*{said}; run `kedro"):
        tuned(made, changed)


def test_without_a_study_it_says_what_to_run(tmp_path):
    with pytest.raises(
        ValueError, match=r"no best_hyperparameters \(.* is missing\): run `kedro run"
    ):
        tuned(tmp_path)


def test_a_study_that_never_ended_is_no_source(made):
    for file in made.rglob("provenance.json"):
        file.unlink()
    with pytest.raises(ValueError, match="was never finished"):
        tuned(made)


def test_dotted_keys_become_nested_ones():
    assert json.dumps(nested({"a.b": 1, "a.c.d": [2], "e": None})) == (
        '{"a": {"b": 1, "c": {"d": [2]}}, "e": null}'
    )
