"""A run whose process is gone is called killed; one that goes on is left alone."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from kd_kedro.hooks.run_lock import FOLDER, WHY, end_lost_runs, hold, let_go

# Another process: it is killed.
SCRIPT = """
import sys, time
from pathlib import Path
from kd_kedro.hooks.run_lock import hold
lock = hold(Path(sys.argv[1]), sys.argv[2])
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")


def new_run(client: mlflow.MlflowClient) -> str:
    return str(client.create_run("0").info.run_id)


def test_a_killed_process_leaves_a_killed_run(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    run = new_run(client)
    words = [sys.executable, "-c", SCRIPT, str(tmp_path), run]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        end_lost_runs(client, tmp_path)
        assert client.get_run(run).info.status == "RUNNING"
        os.utime(tmp_path / FOLDER / run, (1000, 1000))
        process.kill()
    end_lost_runs(client, tmp_path)
    ended = client.get_run(run)
    assert (ended.info.status, ended.info.end_time) == ("KILLED", 1_000_000)
    assert ended.data.tags["mlflow.note.content"] == WHY
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_run_that_ended_stays_as_it_ended(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    run = new_run(client)
    lock = hold(tmp_path, run)
    client.set_terminated(run, "FAILED")
    lock.release()  # it ended between the two
    end_lost_runs(client, tmp_path)
    assert client.get_run(run).info.status == "FAILED"


def test_a_run_of_another_store_is_no_error(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    hold(tmp_path, "0" * 32).release()
    end_lost_runs(client, tmp_path)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_run_that_lets_go_leaves_nothing(tmp_path: Path) -> None:
    let_go(hold(tmp_path, "a"))
    assert list((tmp_path / FOLDER).iterdir()) == []
