"""Parameters are refused before anything runs, in one sentence that says where they were set."""

from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.pipeline import Pipeline, node
from pydantic import BaseModel, ConfigDict, Field

from kd_kedro.runs.parameter_check import check_parameters, flatten


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    share: float = Field(ge=0, le=1)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = Field(gt=0)
    inner: Inner


def work(params: Outer) -> int:
    return params.size


PIPELINES = {"toy": Pipeline([node(work, "params:toy", "size")])}
GOOD = "toy:\n  size: 3\n  inner:\n    share: 0.5\n"


def check(folder: Path, text: str = GOOD, **runtime: Any) -> None:
    file = folder / "base" / "toy" / "parameters.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    (folder / "local").mkdir()
    loader = OmegaConfigLoader(
        str(folder), runtime_params=runtime, base_env="base", default_run_env="local"
    )
    check_parameters(loader, PIPELINES)


def test_good_parameters_pass(tmp_path: Path) -> None:
    check(tmp_path, qa_csv="sheet.csv")


def test_an_unknown_key_of_params_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown parameter toy\.sise .*did you mean toy\.size"):
        check(tmp_path, toy={"sise": 4})


def test_an_unknown_key_of_a_file_is_refused_by_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown parameter toy\.inner\.more in conf/base/toy"):
        check(tmp_path, GOOD + "    more: 1\n")


def test_a_value_out_of_range_names_key_value_and_file(tmp_path: Path) -> None:
    message = r"parameter toy\.inner\.share in conf/base/toy/parameters\.yml is 2\.0: .*less than"
    with pytest.raises(ValueError, match=message):
        check(tmp_path, GOOD.replace("0.5", "2.0"))


def test_a_value_of_params_is_blamed_on_params(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"parameter toy\.size in --params is 'many': .*integer"):
        check(tmp_path, GOOD.replace("3", "many"), toy={"size": "many"})


def test_a_missing_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"parameter toy\.size is missing: it belongs in conf"):
        check(tmp_path, "toy:\n  inner:\n    share: 0.5\n")


def test_a_path_must_be_a_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="parameter qa_csv in --params is 3: it takes a file"):
        check(tmp_path, qa_csv=3)


def test_flatten_gives_dotted_leaves() -> None:
    assert dict(flatten({"a": {"b": 1, "c": {}}, "d": [2]})) == {"a.b": 1, "a.c": {}, "d": [2]}
