"""Which folders of conf/ count, in which order, and what is said of them."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from kedro.config import MissingConfigException
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project

from kd_kedro.runs.environments import environment_names, kedro_command, parameter_origin

ROOT = Path(__file__).resolve().parents[2]
SPLIT = "augmentation.split"
# Beside the base of the project.
FILES = {
    "base/augmentation/parameters.yml": (
        "augmentation: {split: {train: 0.8, validation: 0.1, test: 0.1}}\n"
    ),
    "base/catalog.yml": (
        "sheet: {type: text.TextDataset, filepath: '${globals:data_root}/a.txt'}\n"
        "other: {type: text.TextDataset, filepath: b.txt}\n"
    ),
    "one/augmentation/parameters.yml": (
        "augmentation: {split: {train: 0.7, validation: 0.2}, rewriting: {seed: 1}}\n"
    ),
    "one/catalog.yml": "other: {type: json.JSONDataset, filepath: one.json, metadata: {a: 1}}\n",
    "two/parameters_of_two.yml": "augmentation: {split: {validation: 0.25, test: 0.05}}\n",
    "two/catalog.yml": "other: {type: json.JSONDataset, filepath: two.json}\n",
    "two/.ipynb_checkpoints/parameters.yml": "augmentation: {split: {train: 0.1}}\n",
    "local/globals.yml": "data_root: /large/disk\n",
    "local/credentials.yml": "server: {keys: [secret]}\n",
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    bootstrap_project(ROOT)
    shutil.copytree(ROOT / "conf" / "base", tmp_path / "conf" / "base")
    for name, text in FILES.items():
        file = tmp_path / "conf" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path / "conf"


def loader(conf: Path, env: str | None = None, **runtime: Any) -> Any:
    return settings.CONFIG_LOADER_CLASS(
        str(conf), env=env, runtime_params=runtime, **settings.CONFIG_LOADER_ARGS
    )


@pytest.mark.parametrize(
    ("env", "said"), [(None, ""), ("one", "one"), ("two, one", "two,one"), ("local", "")]
)
def test_a_page_learns_its_environments_as_the_option_takes_them(
    conf: Path, env: str | None, said: str
) -> None:
    first, other = loader(conf, env), loader(conf, "one")
    assert other["catalog"]["run_identity"]["env"] == "one"
    assert first["catalog"]["run_identity"]["env"] == said


@pytest.mark.parametrize(
    ("env", "names"),
    [
        (None, ["base", "local"]),
        ("one", ["base", "one", "local"]),
        ("two, one,two", ["base", "two", "one", "local"]),
        ("local,one", ["base", "one", "local"]),
        ("base", ["base", "local"]),
    ],
)
def test_the_base_comes_first_and_this_machine_has_the_last_word(
    conf: Path, env: str | None, names: list[str]
) -> None:
    assert environment_names(loader(conf, env)) == names


def test_of_stacked_recipes_the_later_wins_leaf_by_leaf(conf: Path) -> None:
    def split(env: str | None, **runtime: Any) -> dict[str, float]:
        values = loader(conf, env, **runtime)["parameters"]["augmentation"]["split"]
        return {name: values[name] for name in ("train", "validation", "test")}

    assert split(None) == {"train": 0.8, "validation": 0.1, "test": 0.1}
    assert split("one,two") == {"train": 0.7, "validation": 0.25, "test": 0.05}
    given = {"augmentation": {"split": {"test": 0.06, "validation": 0.24}}}
    assert split("one,two", **given) == {"train": 0.7, "validation": 0.24, "test": 0.06}


def test_a_catalog_entry_is_replaced_as_a_whole(conf: Path) -> None:
    json = {"type": "json.JSONDataset"}
    assert loader(conf, "two,one")["catalog"]["other"] == {
        **json,
        "filepath": "one.json",
        "metadata": {"a": 1},
    }
    assert loader(conf, "one,two")["catalog"]["other"] == {**json, "filepath": "two.json"}


def test_what_belongs_to_this_machine_counts_with_every_recipe(conf: Path) -> None:
    for env in (None, "one", "one,two"):
        found = loader(conf, env)
        assert found["catalog"]["sheet"]["filepath"] == "/large/disk/a.txt"
        assert found["credentials"] == {"server": {"keys": ["secret"]}}


def test_a_clone_without_a_folder_for_this_machine_is_whole(conf: Path) -> None:
    for name in ("globals.yml", "credentials.yml"):
        (conf / "local" / name).unlink()
    (conf / "local").rmdir()
    found = loader(conf, "one")
    assert found["catalog"]["sheet"]["filepath"] == "data/a.txt"
    with pytest.raises(MissingConfigException, match="no file of credentials"):
        found["credentials"]


def test_columns_of_params_win_over_those_of_the_files_one_by_one(conf: Path) -> None:
    columns = loader(conf)["catalog"]["raw_qa"]["columns"]
    given = {"answer": "Antwort", "options": ["A", "B"]}
    found = loader(conf, "one", columns=given)
    assert found["catalog"]["raw_qa"]["columns"] == {**columns, **given}
    found["parameters"]  # which knows these keys


@pytest.mark.parametrize("env", ["nosuch", "one,nosuch"])
def test_an_environment_that_is_not_there_is_named_with_those_that_are(
    conf: Path, env: str
) -> None:
    said = r"^there is no environment nosuch: conf/nosuch does not exist; there are one, two$"
    with pytest.raises(ValueError, match=said):
        loader(conf, env)


def test_where_a_parameter_was_set_is_the_file_that_has_the_last_word(conf: Path) -> None:
    def origin(key: str, env: str | None = None, **runtime: Any) -> str:
        return parameter_origin(key, loader(conf, env, **runtime))

    assert origin(f"{SPLIT}.test") == "conf/base/augmentation/parameters.yml"
    assert origin(f"{SPLIT}.train", "two") == "conf/base/augmentation/parameters.yml"
    assert origin(f"{SPLIT}.test", "one") == "conf/base/augmentation/parameters.yml"
    assert origin(f"{SPLIT}.test", "two,one") == "conf/two/parameters_of_two.yml"
    assert origin(f"{SPLIT}.validation", "two,one") == "conf/one/augmentation/parameters.yml"
    given = {"augmentation": {"split": {"test": 0.2}}}
    assert origin(f"{SPLIT}.test", "two", **given) == "--params"
    assert origin("augmentation.rewriting.seed") == ""


def test_a_command_names_the_environment_that_it_needs() -> None:
    assert kedro_command("trace ROW_ID", None) == "kedro trace ROW_ID"
    assert kedro_command("run --tuned", "gpt2,server") == "kedro run --tuned --env gpt2,server"
