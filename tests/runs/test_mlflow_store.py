"""A store lies in a folder of any name, and its artifacts are found where the project lies now."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pytest

from kd_kedro.runs.mlflow_store import follow_project, local_folder, make_store, sqlite_uri

NAMES = ["two words", "100% #1?", 'it\'s "ü";&`:x\\y', "a%20b"]


def config_of(project: Path, artifacts: Path | None = None) -> Any:
    """What kedro-mlflow has set up in a project."""
    uri = sqlite_uri(str(project / "mlflow.db"))
    location = (artifacts or project / "mlruns").as_uri()
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("runs")
    if experiment is None:
        client.create_experiment("runs", artifact_location=location)
        experiment = client.get_experiment_by_name("runs")
    return SimpleNamespace(
        server=SimpleNamespace(mlflow_tracking_uri=uri, _mlflow_client=client),
        tracking=SimpleNamespace(
            experiment=SimpleNamespace(
                name="runs",
                _experiment=experiment,
                create_experiment_kwargs=SimpleNamespace(artifact_location=location),
            )
        ),
    )


def make(project: Path) -> Any:
    """Make a store as a first run does."""
    project.mkdir()
    uri = sqlite_uri(str(project / "mlflow.db"))
    location = {"create_experiment_kwargs": {"artifact_location": str(project / "mlruns")}}
    make_store({"server": {"mlflow_tracking_uri": uri}, "tracking": {"experiment": location}})
    return config_of(project)


def new_run(config: Any, text: str = "said") -> str:
    client = config.server._mlflow_client
    run = client.create_run(config.tracking.experiment._experiment.experiment_id)
    client.log_text(run.info.run_id, text, "said.txt")
    return str(run.info.run_id)


def said_by(config: Any, run: str) -> Path:
    """Where MLflow reads a run's artifact."""
    client = config.server._mlflow_client
    folder = local_folder(client.get_run(run).info.artifact_uri)
    assert folder is not None
    assert [each.path for each in client.list_artifacts(run)] == ["said.txt"]
    return folder / "said.txt"


@pytest.mark.parametrize("name", NAMES)
def test_a_store_is_made_and_copied_whatever_its_folder_is_called(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where MLflow would put the artifacts of other experiments
    project, copied = tmp_path / name, tmp_path / f"{name} again"
    first = make(project)
    run = new_run(first)
    assert said_by(first, run).is_relative_to(project)
    shutil.copytree(project, copied)
    again = config_of(copied)
    follow_project(again)
    assert said_by(again, run).is_relative_to(copied)
    assert said_by(again, new_run(again)).is_relative_to(copied)
    assert said_by(first, run).is_relative_to(project)
    # No folder of another spelling lies beside them.
    assert {path.name for path in tmp_path.iterdir()} == {project.name, copied.name}


def test_a_moved_store_has_its_registered_models_too(tmp_path: Path) -> None:
    config = make(tmp_path / "here")
    run = new_run(config)
    client = config.server._mlflow_client
    client.create_registered_model("student")
    client.create_model_version("student", client.get_run(run).info.artifact_uri, run)
    (tmp_path / "here").rename(tmp_path / "there")
    moved = config_of(tmp_path / "there")
    follow_project(moved)
    assert said_by(moved, run).read_text() == "said"
    uri = moved.server._mlflow_client.get_model_version_download_uri("student", "1")
    assert local_folder(uri) == said_by(moved, run).parent


def test_what_lies_at_the_former_place_alone_stays_there(tmp_path: Path) -> None:
    """As where the configured location was changed, or a copy had written to the original."""
    config = make(tmp_path / "project")
    run = new_run(config)
    other = config_of(tmp_path / "project", tmp_path / "elsewhere")
    follow_project(other)
    assert said_by(other, run).is_relative_to(tmp_path / "project")
    assert said_by(other, new_run(other)).is_relative_to(tmp_path / "elsewhere")


def test_what_is_not_on_this_machine_has_no_folder() -> None:
    assert local_folder("s3://bucket/a%20b") is None
    assert local_folder("mlflow-artifacts:/a") is None
    assert local_folder("file:///a%20b/c") == Path("/a b/c")
    assert local_folder("/a%20b") == Path("/a%20b")
