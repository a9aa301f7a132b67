"""The list of runs: what each was of, and what came of it."""

import json
from pathlib import Path

import mlflow
import pytest

from kd_kedro.runs.overview import RunSummary, list_runs
from kd_kedro.runs.recipe import RECIPE, REPRODUCES, find_run

DAY = "2026-01-02T03"
VERDICT = {
    "overall": "better",
    "primary": ["perplexity", "bleu"],
    "metrics": {
        "perplexity": {"student": {"estimate": 4.006}, "baseline": {"estimate": 4.13}},
        "bleu": {},
    },
}


def recipe(**given: object) -> str:
    whole = {
        "schema": "kd_kedro.recipe/1",
        "kedro_run_id": "",
        "env": None,
        "params": {},
        "command": {},
        "only_missing_outputs": False,
        "commit": "",
        "dirty": False,
        "environment": {},
        "parameters": {},
        "inputs": [],
        "loaded": {},
        "saved": {},
        "sources": {"raw_qa": "my, own sheet.csv, hash 12"},
    }
    return json.dumps({**whole, **given})


def saved(second: str, folder: Path) -> dict[str, dict[str, str]]:
    """Return what a recipe says of a verdict, whose version may be gone."""
    path = (folder / "verdict.json" / second).as_posix()
    return {"verdict": {"version": second, "sha256": "", "path": path}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory):
    """A client, its experiment, a project's folder, and the ids of the runs, oldest first."""
    folder = tmp_path_factory.mktemp("mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.create_experiment("runs", artifact_location=str(folder / "artifacts"))
    ids = []

    def add(second: int, text: str | None, state: str, **tags: str) -> str:
        tags |= {"kedro_run_id": f"{DAY}.0{second}.05.000Z"}
        run = client.create_run(experiment, start_time=1000 * second, tags=tags).info.run_id
        if text is not None:
            client.log_text(run, text, RECIPE)
        if state != "RUNNING":
            client.set_terminated(run, state)
        ids.append(run)
        return run

    whole = add(1, recipe(env="gpt2", saved=saved("1", folder)), "FINISHED")
    client.log_text(whole, json.dumps(VERDICT), "verdict/verdict.json")
    part = {"pipeline_names": ["filtering", "preprocessing"]}
    add(2, recipe(command=part, sources={}), "FAILED")
    repeated = add(3, recipe(saved=saved("3", folder)), "FINISHED", **{REPRODUCES: whole})
    version = folder / "verdict.json" / "3"
    version.mkdir(parents=True)
    worse = {**VERDICT, "overall": "worse"}
    (version / "verdict.json").write_text(json.dumps(worse), encoding="utf-8")
    client.log_text(repeated, json.dumps(VERDICT), "verdict/verdict.json")
    add(4, None, "RUNNING", env="test", sheet="early.csv")
    one = {"pipeline_names": ["evaluation"], "node_names": ["evaluation.judge_student"]}
    add(5, recipe(command=one), "KILLED")
    client.create_run(experiment, start_time=9000, tags={"mlflow.parentRunId": whole})  # a trial
    return client, experiment, folder, ids


def rows(store, last: int = 20) -> list[RunSummary]:
    client, experiment, folder, _ = store
    names = {"sheet": "raw_qa", "verdict": "verdict"}
    latest, total = list_runs(client, experiment, folder, last=last, **names)
    assert total == 5
    return latest


def test_runs_are_told_newest_first_with_what_came_of_them(store) -> None:
    first, second, third, fourth, latest = (name[:8] for name in store[3])
    figure = "perplexity 4.01, baseline 4.13"
    sheet = "my, own sheet.csv"
    assert rows(store) == [
        RunSummary(latest, f"{DAY}.05", sheet, "base, evaluation.judge_student", "killed", "", ""),
        RunSummary(fourth, f"{DAY}.04", "early.csv", "test", "running", "", ""),
        RunSummary(third, f"{DAY}.03", sheet, f"base, as {first}", "finished", "worse", figure),
        RunSummary(second, f"{DAY}.02", "", "base, filtering+preprocessing", "failed", "", ""),
        # Its version is gone: MLflow has a copy.
        RunSummary(first, f"{DAY}.01", sheet, "gpt2", "finished", "better", figure),
    ]


def test_the_latest_are_told_as_many_as_asked_for(store) -> None:
    assert [each.started for each in rows(store, last=2)] == [f"{DAY}.05", f"{DAY}.04"]


def test_a_run_is_found_by_either_name_that_is_told(store) -> None:
    client, experiment, _, ids = store
    for told, whole in zip(rows(store), reversed(ids), strict=True):
        for name in (told.name, told.started):
            assert find_run(client, experiment, name).info.run_id == whole
