"""What the packages of the pipelines export is what their nodes and conf/ need."""

from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.validation.type_extractor import TypeExtractor

from kd_kedro.runs.parameter_check import fields, group_model, operational_keys
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
    assert models.keys() == set(pipelines) - {"__default__"}
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
        check({"raw_qa", "params:preprocessing.review"}, load)
