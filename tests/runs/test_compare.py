"""What differs between two recipes and their tables, as pairs."""

from types import SimpleNamespace

import pandas as pd
import pytest
from mlflow import MlflowClient

from kd_kedro.cli.past_runs import compare_past_runs
from kd_kedro.runs.compare import compare_outcomes, compare_recipes, read_table
from kd_kedro.runs.recipe import RECIPE, Recipe, Saved, recipe_text

OLD, FIRST, SECOND = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2, 3))


def recipe(timestamp, *, saved=None, loaded=None, **changed):
    values = {
        "kedro_run_id": timestamp,
        "env": "test",
        "params": {},
        "command": {},
        "only_missing_outputs": False,
        "commit": "abc",
        "dirty": False,
        "environment": {"torch": "2.13.0"},
        "parameters": {"size": 3, "seed": 1},
        "inputs": [],
        "loaded": loaded or {},
        "saved": {
            name: Saved(version=timestamp, sha256=value, path=f"data/{name}.csv/{timestamp}")
            for name, value in (saved or {}).items()
        },
        "sources": {"raw_qa": "a.csv, hash 1"},
    }
    return Recipe(**{**values, **changed})


def compare(first, second, others=()):
    known = {each.kedro_run_id: each for each in (first, second, *others)}
    return compare_recipes(first, second, known.get)


def test_only_what_differs_is_said_with_both_values():
    said = compare(
        recipe(FIRST, parameters={"size": 3, "seed": 1}),
        recipe(
            SECOND,
            parameters={"size": 4, "seed": 1, "more": True},
            commit="abd",
            sources={"raw_qa": "a.csv, hash 2"},
        ),
    )
    assert said["parameters"] == {"more": [None, True], "size": [3, 4]}
    assert said["code"] == {"commit": ["abc", "abd"]}
    assert said["sources"] == {"raw_qa": ["a.csv, hash 1", "a.csv, hash 2"]}
    assert said["environment"] == said["command"] == {}


def test_data_differ_by_content_and_not_by_version():
    said = compare(
        recipe(FIRST, saved={"same": "1", "other": "1", "alone": "1"}),
        recipe(SECOND, saved={"same": "1", "other": "2"}),
    )
    assert said["data"] == {"other": {"versions": [FIRST, SECOND], "content": "differs"}}
    assert (said["equal_data"], said["only_first"], said["only_second"]) == (1, ["alone"], [])


def test_a_loaded_version_is_what_its_run_saved():
    second = recipe(SECOND, loaded={"table": OLD})
    made = recipe(OLD, saved={"table": "1"})
    assert compare(recipe(FIRST, saved={"table": "1"}), second, [made])["data"] == {}
    assert compare(recipe(FIRST, loaded={"table": OLD}), second)["data"] == {}
    unknown = compare(recipe(FIRST, saved={"table": "1"}), second)["data"]
    assert unknown == {"table": {"versions": [FIRST, OLD], "content": "?"}}


JUDGING = SimpleNamespace(primary=("bleu",), confidence=0.95, draws=999, min_families=2, seed=0)


def test_row_counts_are_told_by_stage():
    tables = [
        pd.DataFrame({"stage": ["review", "soap"], "in": ["5", "4"], "out": ["4", last]})
        for last in ("3", "2")
    ]

    def read(number, name):
        return tables[number] if name == "row_waterfall" else f"run {number} made no {name}"

    said = compare_outcomes(read, JUDGING, row_counts="row_waterfall", results="validation_results")
    assert said["rows"] == {"soap out": ["3", "2"]}
    assert said["students"] == {
        "reason": "run 0 made no validation_results; run 1 made no validation_results"
    }


def test_tables_of_a_run_that_mlflow_forgot_are_a_reason(tmp_path):
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.create_experiment("runs", artifact_location=str(tmp_path / "artifacts"))
    for time in (FIRST, SECOND):
        run = client.create_run(experiment, tags={"kedro_run_id": time})
        loaded = {"row_waterfall": OLD, "validation_results": OLD}
        client.log_text(run.info.run_id, recipe_text(recipe(time, loaded=loaded)), RECIPE)
    tracking = SimpleNamespace(experiment=SimpleNamespace(name="runs"))
    server = SimpleNamespace(_mlflow_client=client)
    context = SimpleNamespace(
        mlflow=SimpleNamespace(server=server, tracking=tracking),
        catalog=SimpleNamespace(load=lambda _: JUDGING),
        project_path=tmp_path,
        env=None,
    )
    said = compare_past_runs(context, FIRST, SECOND)
    reason = f"the run that made validation_results of {OLD}, or its recipe, is not in MLflow"
    assert said["students"]["reason"] == reason


class Artifacts:
    """An `MlflowClient` of one artifact."""

    def __init__(self, path):
        self.path = path

    def list_artifacts(self, _, folder):
        return [SimpleNamespace(path=self.path)] if self.path.startswith(folder) else []

    def download_artifacts(self, _, path, to):
        place = f"{to}/copy"
        pd.DataFrame({"a": ["from MLflow"]}).to_csv(place, index=False)
        return place


@pytest.mark.parametrize(("kept", "said"), [("a.csv", "from MLflow"), ("b.csv", None)])
def test_a_table_is_read_from_its_version_or_from_mlflow(tmp_path, kept, said):
    client, made = Artifacts(f"a/{kept}"), recipe(FIRST, saved={"a": "1"})
    found = read_table(client, "id", made, tmp_path, "a")
    if said is None:
        assert found.startswith(f"a of run {FIRST} is gone: neither data/a.csv/{FIRST} nor a copy")
    else:
        assert list(found["a"]) == [said]
    place = tmp_path / "data" / "a.csv" / FIRST
    place.mkdir(parents=True)
    (place / "a.csv").write_text("a\nNA\n")
    assert list(read_table(client, "id", made, tmp_path, "a")["a"]) == ["NA"]
