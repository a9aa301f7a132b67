"""A run is found by its name, and its recipe says what it was made of."""

import json
from pathlib import Path

import mlflow
import pytest

from kd_kedro.runs.provenance import write_provenance
from kd_kedro.runs.recipe import (
    RECIPE,
    content_hash,
    find_run,
    make_recipe,
    read_recipe,
    recipe_text,
    unmeasured_hash,
)

FIRST, SECOND = "2026-01-02T03.04.05.006Z", "2026-01-02T03.04.05.007Z"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A client of a store, its experiment, and two runs of Kedro in it."""
    folder = tmp_path_factory.mktemp("mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.create_experiment("runs", artifact_location=str(folder / "artifacts"))
    runs = [client.create_run(experiment, tags={"kedro_run_id": t}) for t in (FIRST, SECOND)]
    return client, experiment, runs


def test_a_run_is_found_by_id_its_start_and_timestamp(store):
    client, experiment, (first, second) = store
    whole = first.info.run_id
    # Neither the other run's id nor a timestamp, of which an id may have the first digits.
    others = (second.info.run_id, FIRST)
    length = next(n for n in range(1, 33) if not any(name.startswith(whole[:n]) for name in others))
    for name in (whole, whole[:length], FIRST):
        assert find_run(client, experiment, name).info.run_id == whole


def test_a_start_that_two_runs_share_names_them(store):
    client, experiment, (first, second) = store
    with pytest.raises(ValueError, match="2 runs begin with 2026-01-02T03: ") as told:
        find_run(client, experiment, "2026-01-02T03")
    assert first.info.run_id[:12] in str(told.value)
    assert second.info.run_id[:12] in str(told.value)


@pytest.mark.parametrize("name", ["nosuch", "%", "", "' OR 1=1", "2026-01-02T03.04.05.008Z"])
def test_an_unknown_run_is_one_sentence(store, name):
    client, experiment, _ = store
    with pytest.raises(ValueError, match=r"^no run .* which `kedro runs --env gpt2` shows$"):
        find_run(client, experiment, name, "gpt2")


def version(folder: Path, name: str, text: str) -> Path:
    place = folder / "data" / name / FIRST
    place.mkdir(parents=True)
    (place / name).write_text(text)
    write_provenance(place, {"parameters": {"clean.size": 3}, "sources": {"raw": "raw.csv, 1"}})
    return place


def recipe_in(folder: Path):
    params = {
        "project_path": folder.as_posix(),
        "run_id": FIRST,
        "env": "test",
        "runtime_params": {"clean": {"size": 3}},
        "pipeline_names": ["b", "a"],
        "tags": (),
    }
    return make_recipe(
        params,
        commit="abc",
        dirty=False,
        inputs=["raw"],
        parameters={"judge.draws": 5},
        loaded={"teacher": SECOND},
        saved={"cleaned": version(folder, "cleaned", "abc")},
        measured_parts={},
    )


def test_a_recipe_comes_back_as_it_was_written(store, tmp_path):
    client, _, (first, _) = store
    recipe = recipe_in(tmp_path)
    client.log_text(first.info.run_id, recipe_text(recipe), RECIPE)
    assert read_recipe(client, first) == recipe
    said = json.loads(recipe_text(recipe))
    assert said["schema"] == "kd_kedro.recipe/1"
    assert said["command"] == {"pipeline_names": ["a", "b"]}
    assert said["parameters"] == {"clean.size": 3, "judge.draws": 5}
    assert said["sources"] == {"raw": "raw.csv, 1"}
    assert said["loaded"] == {"teacher": SECOND}
    assert said["saved"]["cleaned"]["path"] == f"data/cleaned/{FIRST}"


@pytest.mark.parametrize(("place", "kept"), [("", ""), ("conf", ""), ("other", "other")])
def test_only_another_configuration_than_the_projects_is_noted(tmp_path, place, kept):
    params = {"project_path": tmp_path.as_posix(), "run_id": FIRST, "env": None}
    params["runtime_params"] = {}
    where = str(tmp_path / place) if place else ""
    nothing = {"inputs": [], "parameters": {}, "loaded": {}, "saved": {}, "measured_parts": {}}
    recipe = make_recipe(params, commit="", dirty=False, conf_source=where, **nothing)
    assert recipe.conf_source == (str(tmp_path / kept) if kept else "")


def test_a_missing_and_a_damaged_recipe_are_named(store):
    client, experiment, _ = store
    run = client.create_run(experiment)
    with pytest.raises(ValueError, match=r"has no recipe\.json"):
        read_recipe(client, run)
    for text, word in (("{", "Invalid JSON"), ('{"schema": "other/9"}', "schema")):
        client.log_text(run.info.run_id, text, RECIPE)
        with pytest.raises(ValueError, match=rf"recipe\.json of run \w+ is damaged: .*{word}"):
            read_recipe(client, run)


def test_content_is_files_and_not_what_is_said_of_them(tmp_path):
    one, two = version(tmp_path / "1", "a", "abc"), version(tmp_path / "2", "a", "abc")
    (two / "provenance.json").write_text("{}")
    (two / "card.json").write_text("{}")
    assert content_hash(one) == content_hash(two)
    (two / "a").write_text("abd")
    assert content_hash(one) != content_hash(two)


def test_evidence_has_a_hash_without_its_costs(tmp_path):
    def hashed(**content):
        folder = tmp_path / "evidence.json" / "v"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "evidence.json").write_text(json.dumps(content))
        return unmeasured_hash(folder, "compression")

    first = hashed(verdict=1, compression={"ms": 1})
    assert hashed(compression={"ms": 2}, verdict=1) == first
    assert hashed(verdict=2, compression={"ms": 1}) != first
    assert hashed(verdict=1) == unmeasured_hash(tmp_path, "") == ""


def test_a_byte_that_moves_to_another_file_is_another_content(tmp_path):
    for name, left, right in (("1", "ab", "c"), ("2", "a", "bc")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(left)
        (tmp_path / name / "y").write_text(right)
    assert content_hash(tmp_path / "1") != content_hash(tmp_path / "2")
