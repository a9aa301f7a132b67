"""Trials in MLflow: one child run each, logged once."""

import mlflow
import pytest

from kd_kedro.hooks.trial_runs import log_trials


def trial(number, state="complete", value=2.0, **changed):
    return {
        "number": number,
        "state": state,
        "value": value,
        "values": {"alpha": 0.25, "divergence": "jsd"},
        "losses": {"10": 3.0, "20": 2.0},
        "pruned_at": None,
        "reason": "",
        "attempt": 1,
        "started": 1000.0,
        "seconds": 2.5,
        **changed,
    }


RECORD = {
    "trained": "student",
    "study": "kd_kedro-1",
    "capture": "abc",
    "trials": [
        trial(0),
        trial(1, "pruned", None, reason="its loss was above the others' median"),
        trial(2, "fail", None, losses={}, seconds=None),
        trial(3, "running", None, seconds=None),
    ],
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return mlflow.MlflowClient(f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")


def children(client, parent):
    found = client.search_runs([parent.info.experiment_id])
    own = [r for r in found if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    return sorted(own, key=lambda run: int(run.data.tags["trial"]))


def test_each_ended_trial_is_a_child_of_the_run_that_first_tells_of_it(client):
    experiment = client.create_experiment("study")
    first = client.create_run(experiment)
    log_trials(client, first.info.run_id, RECORD)
    zero, one, two = children(client, first)
    assert [r.info.status for r in (zero, one, two)] == ["FINISHED", "KILLED", "FAILED"]
    assert zero.data.params == {"alpha": "0.25", "divergence": "jsd"}
    assert zero.data.metrics["best_validation_loss"] == 2.0
    steps = client.get_metric_history(zero.info.run_id, "validation_loss")
    assert [(point.step, point.value) for point in steps] == [(10, 3.0), (20, 2.0)]
    assert (zero.info.start_time, zero.info.end_time) == (1_000_000, 1_002_500)
    assert one.data.tags["reason"] == "its loss was above the others' median"
    assert zero.data.tags["teacher_targets"] == "abc"

    assert (zero.info.run_name, zero.data.tags["trained"]) == ("student trial 0", "student")

    second = client.create_run(experiment)
    more = {**RECORD, "trials": [*RECORD["trials"][:3], trial(3), trial(4)]}
    log_trials(client, second.info.run_id, more)
    assert [run.data.tags["trial"] for run in children(client, second)] == ["3", "4"]
    log_trials(client, second.info.run_id, {})  # no study was made
    assert len(children(client, first)) == 3
