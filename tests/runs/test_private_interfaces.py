"""What is used of libraries without a public name is there and does what is relied on.

A failure here after an upgrade names the one file to change: `runs/kedro_internals.py`,
`datasets/previews.py`, `runs/mlflow_store.py`, `training/loop/hf_trainer.py`,
`pipelines/tuning/workers.py`.
"""

import inspect
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import optuna
import pandas as pd
import pytest
import torch
from kedro.framework.context import KedroContext
from kedro.io import AbstractVersionedDataset, DataCatalog
from kedro.io.core import Version
from kedro_mlflow.config.kedro_mlflow_config import KedroMlflowConfig
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Dataset, DatasetInput
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from transformers import Trainer, TrainingArguments

from kd_kedro.datasets import previews
from kd_kedro.runs import kedro_internals, mlflow_store

SRC = Path(__file__).resolve().parents[2] / "src" / "kd_kedro"
VERSION = "2026-01-01T00.00.00.000Z"


@pytest.fixture
def catalog(tmp_path: Path) -> DataCatalog:
    entry = {"type": "text.TextDataset", "filepath": str(tmp_path / "a.txt")}
    entries = {"plain": entry, "versioned": {**entry, "versioned": True}}
    return DataCatalog.from_config(entries, save_version=VERSION)


def test_kedro_tells_versioned_datasets_and_their_paths(
    catalog: DataCatalog, tmp_path: Path
) -> None:
    catalog.save("versioned", "text")
    plain, versioned = catalog.get("plain"), catalog.get("versioned")
    assert kedro_internals.is_versioned(versioned)
    assert not kedro_internals.is_versioned(plain)
    assert not kedro_internals.is_versioned(None)
    file = tmp_path / "a.txt" / VERSION / "a.txt"
    assert kedro_internals.version_path(versioned, VERSION) == file
    assert kedro_internals.load_path(versioned) == file
    assert file.read_text() == "text"
    assert kedro_internals.filepath(plain) == kedro_internals.filepath(versioned) == file.parents[1]
    assert kedro_internals.filepath(None) is None
    assert kedro_internals.on_this_machine(versioned)
    elsewhere = {"type": "text.TextDataset", "filepath": "memory://a.txt", "versioned": True}
    assert not kedro_internals.on_this_machine(DataCatalog.from_config({"a": elsewhere}).get("a"))


def test_kedro_datasets_of_our_own_know_where_to_load_and_save(tmp_path: Path) -> None:
    class Own(AbstractVersionedDataset):  # type: ignore[type-arg]
        def load(self) -> str:
            return str(self._get_load_path())

        def save(self, data: str) -> None:
            path = Path(str(self._get_save_path()))
            path.parent.mkdir(parents=True)
            path.write_text(data)

        def _describe(self) -> dict[str, Any]:
            return {}

    # As hf_model, file_folder and run_identity do it.
    def exists(path: str) -> bool:
        return Path(path).exists()

    def found(pattern: str) -> list[str]:
        return [str(path) for path in tmp_path.glob(str(Path(pattern).relative_to(tmp_path)))]

    own = Own(tmp_path / "own", Version(None, VERSION), exists, found)
    own.save("text")
    assert own.load() == str(tmp_path / "own" / VERSION / "own")
    assert own._version == Version(None, VERSION)


def test_kedro_makes_a_catalog_of_chosen_versions() -> None:
    signature = inspect.signature(KedroContext._get_catalog)
    assert signature.parameters["load_versions"].default is None
    context = SimpleNamespace(_get_catalog=lambda load_versions: load_versions)
    assert kedro_internals.catalog_of_versions(context, {"a": VERSION}) == {"a": VERSION}


def test_kedro_datasets_have_the_previews_that_kedro_viz_knows() -> None:
    assert previews.JSONPreview.__name__ == "JSONPreview"
    assert previews.TablePreview.__name__ == "TablePreview"
    assert previews.JSONPreview("{}") == "{}"


def test_mlflow_takes_a_table_as_an_input(tmp_path: Path) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    run = client.create_run(client.create_experiment("runs")).info.run_id
    table = from_pandas(pd.DataFrame({"a": ["1"]}), source="a.csv", name="a", digest="1")
    entity = mlflow_store.dataset_entity(table)
    assert isinstance(entity, Dataset)
    client.log_inputs(run, [DatasetInput(entity)])
    (logged,) = client.get_run(run).inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("a", "1")


def test_kedro_mlflow_has_a_client_and_says_whether_it_tracks(tmp_path: Path) -> None:
    server = {"mlflow_tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"}
    config = KedroMlflowConfig.model_validate({"server": server})
    client = mlflow.MlflowClient()
    config.server._mlflow_client = client
    assert mlflow_store.tracking_client(config) is client
    assert "_mlflow_client" in inspect.getsource(KedroMlflowConfig.setup)
    hook = MlflowHook()
    assert mlflow_store.is_tracked(hook)
    hook._is_mlflow_enabled = False
    assert not mlflow_store.is_tracked(hook)
    source = inspect.getsource(MlflowHook.before_pipeline_run)
    assert "self._is_mlflow_enabled = " in source


def test_mlflows_store_has_the_columns_that_hold_addresses(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    SqlAlchemyStore(f"sqlite:///{file}", (tmp_path / "mlruns").as_uri())
    with closing(sqlite3.connect(file)) as store:
        columns = {
            (table, column[1])
            for [table] in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for column in store.execute(f"PRAGMA table_info({table})")
        }
    known = set(mlflow_store._ADDRESSES)
    assert known <= columns
    # A new one of such a name would be left behind in a project that is moved.
    like = ("artifact_location", "artifact_uri", "storage_location")
    assert {each for each in columns if each[1] in like} <= known
    # And the experiment that `follow_project` looks at.
    assert "self.tracking.experiment._experiment = " in inspect.getsource(
        KedroMlflowConfig._set_experiment
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("_clip_grad_norm", ["model"]),
        ("_defer_fsdp_gradient_reduction", []),
        ("_get_num_items_in_batch", ["batch_samples", "device"]),
        ("_load_best_model", []),
        ("_load_from_checkpoint", ["resume_from_checkpoint", "model"]),
        ("_load_optimizer_and_scheduler", ["checkpoint"]),
        ("_load_rng_state", ["checkpoint"]),
        ("_move_model_to_device", ["model", "device"]),
        ("_save", ["output_dir", "state_dict"]),
        ("_save_checkpoint", ["model", "trial"]),
        ("_save_optimizer_and_scheduler", ["output_dir"]),
    ],
)
def test_the_trainer_calls_what_is_overridden(name: str, arguments: list[str]) -> None:
    own, *found = inspect.signature(getattr(Trainer, name)).parameters
    assert [own, *found] == ["self", *arguments]
    # Whoever overrides what nobody calls any more notices nothing.
    assert re.search(rf"self\.{name}\b", inspect.getsource(Trainer))


def test_the_trainer_counts_the_loss_that_is_restored(tmp_path: Path) -> None:
    seen = []

    class Watched(Trainer):  # type: ignore[misc]
        def training_step(self, *arguments: Any, **named: Any) -> torch.Tensor:
            seen.append((self._tr_loss.item(), self._globalstep_last_logged))
            return super().training_step(*arguments, **named)

        def compute_loss(self, model: Any, inputs: Any, **_: Any) -> torch.Tensor:
            return model(inputs["x"]).sum() * 0 + 2.0

    options = TrainingArguments(
        str(tmp_path),
        max_steps=2,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    rows = [{"x": torch.ones(1)}] * 16
    Watched(torch.nn.Linear(1, 1), options, train_dataset=rows).train()
    assert seen == [(0.0, 0), (2.0, 0)]


def test_an_optuna_trial_has_the_number_that_heartbeats_need(tmp_path: Path) -> None:
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/study.db", heartbeat_interval=60)
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    trial.storage.record_heartbeat(trial._trial_id)
    assert storage.get_trial(trial._trial_id).number == trial.number


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        (r"from kedro_datasets\._", {"datasets/previews.py"}),
        (r"\._get_versioned_path|\._get_catalog\(", {"runs/kedro_internals.py"}),
        (
            r"_mlflow_client|_is_mlflow_enabled|_to_mlflow_entity|SqlAlchemyStore|\._experiment\b",
            {"runs/mlflow_store.py"},
        ),
        (r"\b_tr_loss\b|_globalstep_last_logged", {"training/loop/hf_trainer.py"}),
        (r"\._trial_id\b", {"pipelines/tuning/workers.py"}),
    ],
)
def test_each_is_used_in_one_file(pattern: str, files: set[str]) -> None:
    using = {
        path.relative_to(SRC).as_posix()
        for path in SRC.rglob("*.py")
        if re.search(pattern, path.read_text(encoding="utf-8"))
    }
    assert using == files
