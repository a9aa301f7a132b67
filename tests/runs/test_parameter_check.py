"""Parameters are refused before anything runs, in one sentence that says where they were set."""

from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kd_kedro.runs.parameter_check import check_parameters, flatten, operational_keys


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    share: float = Field(ge=0, le=1)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = Field(gt=0)
    inner: Inner


class Doubled(Outer):
    """With a check of its own and a group that need not be written down."""

    more: Inner = Inner(share=0.25)
    steps: int = Field(default=7, json_schema_extra={"operational": True})

    @model_validator(mode="after")
    def _fits(self) -> "Doubled":
        if self.size == self.steps:
            raise ValueError("size and steps are the same")
        return self


CATALOG_KEYS = {
    "qa_csv": "a sheet",
    "columns.question": "a column",
    "columns.options": "columns",
    "others.*": "any column",
}
RENAMED = {"toy.length": "toy.size", "toy.old": "toy.inner", "sheet": "qa_csv"}
GOOD = "toy:\n  size: 3\n  inner:\n    share: 0.5\n"


def check(
    folder: Path, text: str = GOOD, model: type[BaseModel] = Outer, **runtime: Any
) -> dict[str, Any]:
    file = folder / "base" / "toy" / "parameters.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    (folder / "local").mkdir()
    loader = OmegaConfigLoader(
        str(folder), runtime_params=runtime, base_env="base", default_run_env="local"
    )
    return check_parameters(
        loader["parameters"], {"toy": model}, loader, renamed=RENAMED, catalog_keys=CATALOG_KEYS
    )


def test_good_parameters_pass(tmp_path: Path) -> None:
    values = check(tmp_path, qa_csv="sheet.csv")
    assert values["toy"] == {"size": 3, "inner": {"share": 0.5}}


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


@pytest.mark.parametrize(
    ("runtime", "said"),
    [
        (
            {"toy": 4},
            r"parameter toy in --params is 4, but it is a group of parameters: .*, as toy\.",
        ),
        (
            {"toy": {"inner": 4}},
            r"toy\.inner in --params is 4, but it is .*, as toy\.inner\.share$",
        ),
        ({"columns": 4}, r"parameter columns in --params is 4, but it is .*, as columns\.options$"),
    ],
)
def test_a_value_in_place_of_a_group_names_a_parameter_of_it(
    tmp_path: Path, runtime: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        check(tmp_path, **runtime)


def test_a_value_in_place_of_a_group_is_named_by_its_file(tmp_path: Path) -> None:
    said = r"toy\.inner in conf/base/toy/parameters\.yml is 4, but it is a group"
    with pytest.raises(ValueError, match=said):
        check(tmp_path, "toy: {size: 3, inner: 4}\n")


def test_columns_must_be_texts(tmp_path: Path) -> None:
    said = "columns.question in --params is 7: it takes a text, in quotes of its own where it reads"
    with pytest.raises(ValueError, match=said):
        check(tmp_path / "one", columns={"question": 7})
    with pytest.raises(ValueError, match=r"columns\.options in --params is 'A': it takes a list"):
        check(tmp_path / "two", columns={"options": "A"})
    assert check(tmp_path / "three", columns={"options": ["A", "B"], "question": "7"})["toy"]


def test_a_key_that_ends_in_a_star_stands_for_its_group(tmp_path: Path) -> None:
    assert check(tmp_path / "one", others={"mine": "Column"})["toy"]
    with pytest.raises(ValueError, match=r"others\.mine in --params is 7: it takes a text"):
        check(tmp_path / "two", others={"mine": 7})
    with pytest.raises(ValueError, match=r"unknown parameter others\.mine\.inner in --params"):
        check(tmp_path / "three", others={"mine": {"inner": "Column"}})
    with pytest.raises(ValueError, match="unknown parameter others in --params"):
        check(tmp_path / "four", others="Column")


def test_a_path_must_be_a_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="parameter qa_csv in --params is 3: it takes a file"):
        check(tmp_path, qa_csv=3)


def test_flatten_gives_dotted_leaves() -> None:
    assert dict(flatten({"a": {"b": 1, "c": {}}, "d": [2]})) == {"a.b": 1, "a.c": {}, "d": [2]}


def test_an_unknown_group_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown parameter tpy in conf/base/toy/parameters\.yml"):
        check(tmp_path, GOOD + "tpy: {size: 3}\n")


@pytest.mark.parametrize(
    ("runtime", "said"),
    [
        ({"toy": {"length": 4}}, r"parameter toy\.length in --params is called toy\.size now"),
        (
            {"toy": {"old": {"share": 1}}},
            r"parameter toy\.old\.share in --params is called toy\.inner\.share now",
        ),
        ({"sheet": "a.csv"}, r"parameter sheet in --params is called qa_csv now"),
    ],
)
def test_a_former_name_of_params_is_answered_with_the_present_one(
    tmp_path: Path, runtime: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        check(tmp_path, **runtime)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("size", "length"), "toy.length in {} is called toy.size now"),
        (GOOD.replace("inner", "old"), "toy.old in {} is called toy.inner now"),
    ],
)
def test_a_former_name_in_a_file_is_answered_with_the_present_one(
    tmp_path: Path, text: str, said: str
) -> None:
    said = said.format("conf/base/toy/parameters.yml")
    with pytest.raises(ValueError, match=f"^parameter {said}$"):
        check(tmp_path, text)


def test_what_the_files_leave_out_has_the_models_default(tmp_path: Path) -> None:
    values = check(tmp_path, model=Doubled)
    assert values["toy"] == {
        "size": 3,
        "inner": {"share": 0.5},
        "more": {"share": 0.25},
        "steps": 7,
    }


@pytest.mark.parametrize("text", ["toy:\n  size: 3\n", "toy:\n  size: 3\n  inner: {}\n"])
def test_of_an_absent_group_the_missing_value_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"parameter toy\.inner\.share is missing: it belongs in"):
        check(tmp_path, text)


def test_values_that_do_not_fit_together_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^parameters of toy do not fit together: size and steps"):
        check(tmp_path, GOOD.replace("3", "7"), model=Doubled)


def test_operational_parameters_are_marked_on_their_field() -> None:
    assert operational_keys({"toy": Doubled}) == {"toy.steps"}
