"""What the packages of the pipelines export is what their nodes and conf/ need."""

from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.framework.project import pipelines, settings
from kedro.framework.startup import bootstrap_project
from kedro.validation.type_extractor import TypeExtractor

from kd_kedro.runs.parameter_check import (
    fields,
    flatten,
    group_model,
    operational_keys,
)
from kd_kedro.runs.pipeline_packages import (
    catalog_keys,
    checks_before_run,
    parameter_models,
    renamed_parameters,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def project() -> None:
    bootstrap_project(ROOT)


def test_every_pipeline_brings_the_model_that_its_nodes_ask_for() -> None:
    models = parameter_models()
    assert models.keys() == set(pipelines) - {"__default__", "merging"}  # which has no settings
    asked = TypeExtractor(dict(pipelines)).extract_types_from_pipelines()
    assert asked
    for key, model in asked.items():
        name, *groups = key.split(".")
        found = reduce(_inner, groups, models[name])
        assert found is model, key


def _inner(model: Any, group: str) -> Any:
    return group_model(model.model_fields[group])


def test_a_former_name_is_no_name_of_today_and_the_present_one_is() -> None:
    known = {
        key for name, model in parameter_models().items() for key, _ in fields(model, f"{name}.")
    } | catalog_keys().keys()

    def is_known(key: str) -> bool:
        return any(name == key or name.startswith(f"{key}.") for name in known)

    for former, present in renamed_parameters().items():
        assert not is_known(former), former
        assert is_known(present), present
    assert renamed_parameters()["evaluation.report"] == "reporting"


def test_how_a_training_or_a_study_runs_is_operational() -> None:
    keys = operational_keys(parameter_models())
    assert {"tuning.trials", "tuning.workers", "tuning.heartbeat"} <= keys
    fields_of_training = {
        "save_steps",
        "gradient_checkpointing",
        "num_processes",
        "strategy",
        "num_nodes",
        "rdzv_endpoint",
    }
    for group in ("distillation.training.", "distillation.teacher.training."):
        own = {key.removeprefix(group) for key in keys if key.startswith(group)}
        assert own == fields_of_training


def test_a_check_before_a_run_asks_only_where_students_are_read() -> None:
    def load(name: str) -> Any:
        raise AssertionError(f"{name} was loaded")

    assert checks_before_run()
    for check in checks_before_run():
        check({"raw_qa", "params:preprocessing.review"}, load, load)


def checked(env: str = "base", **runtime: Any) -> dict[str, Any]:
    """Return all parameters as a run of an environment has them."""
    arguments = {**settings.CONFIG_LOADER_ARGS, "default_run_env": "base"}
    folder = str(ROOT / "conf")
    loader = settings.CONFIG_LOADER_CLASS(folder, env=env, runtime_params=runtime, **arguments)
    values: dict[str, Any] = loader["parameters"]
    return values


def nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def test_the_recipe_that_stands_in_files_is_short() -> None:
    files = [*(ROOT / "conf/base").glob("*/parameters.yml"), ROOT / "conf/base/globals.yml"]
    leaves = [key for file in files for key, _ in flatten(yaml.safe_load(file.read_text("utf-8")))]
    assert 40 < len(leaves) <= 60


def test_every_former_name_is_answered_with_the_present_one() -> None:
    assert len(renamed_parameters()) > 30
    for former, present in renamed_parameters().items():
        said = f"^parameter {former} in --params is called {present} now$".replace(".", r"\.")
        with pytest.raises(ValueError, match=said):
            checked(**nested(former, 1))


def test_the_teachers_training_inherits_what_it_leaves_out() -> None:
    distillation = checked()["distillation"]
    own = {"learning_rate": 3.0e-3, "max_tokens": 1_100_000}
    assert distillation["teacher"]["training"] == distillation["training"] | own
    changed = checked(distillation={"training": {"batch_size": 4, "learning_rate": 0.5}})
    of_teacher = changed["distillation"]["teacher"]["training"]
    assert (of_teacher["batch_size"], of_teacher["learning_rate"]) == (4, 3.0e-3)
    with pytest.raises(ValueError, match=r"distillation\.training\.batch_size in --params is 0"):
        checked(distillation={"training": {"batch_size": 0}})
    with pytest.raises(ValueError, match=r"distillation\.teacher\.training do not fit together"):
        checked(distillation={"teacher": {"training": {"num_nodes": 2}}})


def test_a_group_that_is_given_in_part_keeps_its_other_defaults() -> None:
    space = checked("gpt2")["tuning"]["space"]
    assert (space["learning_rate"]["high"], space["learning_rate"]["log"]) == (3.0e-4, True)
    assert space["beta"]["low"] == 0.1
