"""A study on what a finished run left behind, and a run with what it found."""

import json
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from tests.end_to_end.harness import run_commands

TEST = ["run", "--env", "test"]
COMMANDS = [
    [*TEST, "--tuned"],
    [*TEST, "--pipelines", "tuning"],
    [*TEST, "--tuned", "--pipelines", "distillation,evaluation,reporting"],
    [*TEST, "--tuned", "--params", "distillation.student.from_teacher.num_hidden_layers=2"],
]


@pytest.fixture(scope="module")
def tuned(project):
    """A project after `COMMANDS`, and what they said."""
    return project, run_commands(project, COMMANDS)


def newest(project: Path, name: str) -> Path:
    return sorted(project.glob(f"data/test_env/*/{name}/*/{name}"))[-1]


def test_tuned_without_a_study_says_what_to_run(tuned):
    _, (refused, *_) = tuned
    assert refused["code"] == 1
    assert "there is no best_hyperparameters" in refused["err"]
    assert "`kedro run --pipelines tuning --env test`" in refused["err"]


def test_a_study_leaves_its_products_and_says_what_was_best(tuned):
    project, (_, study, *_) = tuned
    assert study["code"] == 0, study["err"][-2000:]
    trials = pd.read_csv(newest(project, "study.csv"))
    best = json.loads(newest(project, "best_hyperparameters.json").read_text())
    assert len(trials) == 3
    assert best["validation_loss"] == pytest.approx(trials["value"].min())
    assert "`kedro run --tuned --env test` takes these" in study["out"]
    of_baseline = f"the best baseline trial {best['baseline']['trial']} of "
    assert of_baseline in " ".join(study["out"].split())
    for name in ("tuning_history_plot.json", "tuning_importance_plot.json"):
        assert json.loads(newest(project, name).read_text())["data"]


def test_a_tuned_run_takes_the_best_values(tuned):
    project, (_, _, run, _) = tuned
    assert run["code"] == 0, run["err"][-2000:]
    best = json.loads(newest(project, "best_hyperparameters.json").read_text())
    assert run["out"].startswith("Tuned: distillation.objective.alpha=")
    student, baseline = (
        json.loads((newest(project, name) / "card.json").read_text())
        for name in ("student", "baseline_student")
    )
    values = {**student["training"], **student["objective"]}
    own = best["parameters"].pop("distillation.controls.baseline.learning_rate")
    assert baseline["training"] == {**student["training"], "learning_rate": own}
    assert own != student["training"]["learning_rate"]
    for key, value in best["parameters"].items():
        assert values[key.rpartition(".")[2]] == value
    page = newest(project, "report.html").read_text()
    section = page.partition('id="tuning"')[2].partition("</section>")[0]
    assert "The student of this report has these values." in section
    assert "The baseline had a study of its own, of 3 trials" in section
    assert "The baseline of this report has it." in section


def test_values_of_another_student_are_refused(tuned):
    _, (*_, refused) = tuned
    assert refused["code"] == 1
    layers = "parameter distillation.student.from_teacher.num_hidden_layers was 1 and is 2 now"
    assert layers in refused["err"]


def test_every_trial_is_a_child_run(tuned):
    project, _ = tuned
    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("kd_kedro")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if " · tuning · " in run.info.run_name]
    own = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    for trained in ("student", "baseline"):
        of_it = [run.data.tags["trial"] for run in own if run.data.tags["trained"] == trained]
        assert sorted(of_it) == ["0", "1", "2"]
    for run in own:
        assert set(run.data.params) >= {"alpha", "beta", "temperature", "divergence"}
        assert client.get_metric_history(run.info.run_id, "validation_loss")
    artifacts = {entry.path for entry in client.list_artifacts(parent.info.run_id)}
    assert {"best_hyperparameters", "tuning_history_plot", "tuning_importance_plot"} <= artifacts
