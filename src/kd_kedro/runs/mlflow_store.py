"""The project's store of runs in MLflow, and what of MLflow and kedro-mlflow has no public name.

`tests/runs/test_private_interfaces.py` fails where an upgrade of one breaks what is used here.
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

# Every column of MLflow's SQL store that holds the address of an artifact.
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)


def tracking(context: Any) -> tuple[Any, str]:
    """Return the client of the project's MLflow and the id of its experiment."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    client = tracking_client(context.mlflow)
    experiment = client.get_experiment_by_name(context.mlflow.tracking.experiment.name)
    return client, experiment.experiment_id


def tracking_client(config: Any) -> Any:
    """Return the client of a `KedroMlflowConfig`."""
    return config.server._mlflow_client


def is_tracked(hook: Any) -> bool:
    """Return whether a `MlflowHook` records the run that goes on."""
    return bool(hook._is_mlflow_enabled)


def dataset_entity(dataset: Any) -> Any:
    """Return a dataset of `mlflow.data` as the entity that `MlflowClient.log_inputs` takes."""
    return dataset._to_mlflow_entity()


def sqlite_uri(path: str) -> str:
    """Return the URI of an SQLite file, whatever characters its path has.

    It names the driver because MLflow makes the folder of a plain `sqlite:///` URI without decoding
    it, and a stray empty folder would lie beside a project with a space in its name.
    """
    from sqlalchemy import URL  # here, because settings import this module

    return URL.create("sqlite+pysqlite", database=path).render_as_string()


def make_store(settings: Mapping[str, Any]) -> None:
    """Make an SQLite store where there is none yet, in a folder of any name.

    Left to itself MLflow puts the working directory into an SQL statement as it is, and a quotation
    mark in it ends the statement.

    Args:
        settings: Content of mlflow.yml.
    """
    uri = str((settings.get("server") or {}).get("mlflow_tracking_uri") or "")
    experiment = (settings.get("tracking") or {}).get("experiment") or {}
    location = (experiment.get("create_experiment_kwargs") or {}).get("artifact_location") or ""
    if not uri.startswith("sqlite") or not Path(location).is_absolute():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    if not Path(_file(uri)).exists():
        SqlAlchemyStore(uri, Path(location).as_uri())  # type: ignore[no-untyped-call]


def local_folder(uri: str) -> Path | None:
    """Return the folder that an artifact's address names; None where it is on another machine."""
    parts = urlsplit(uri)
    if uri.startswith("/"):
        return Path(uri)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def follow_project(config: Any) -> None:
    """Let a store's artifacts be looked for where its project lies now.

    MLflow writes absolute addresses. In a project that was moved or copied they name the former
    place, and a copy would read and write the files of the original. New artifacts go to the
    configured location; the address of one that was there before is changed unless it is found
    at the former place alone.

    Args:
        config: A `KedroMlflowConfig` after its `setup`; nothing is done unless its store is an
            SQLite file and its artifacts lie on this machine.
    """
    uri = config.server.mlflow_tracking_uri
    now = config.tracking.experiment.create_experiment_kwargs.artifact_location or ""
    then = config.tracking.experiment._experiment.artifact_location
    former, present = local_folder(then), local_folder(now)
    if not uri.startswith("sqlite") or former == present or former is None or present is None:
        return
    with closing(sqlite3.connect(_file(uri), timeout=30)) as store, store:
        store.execute("BEGIN IMMEDIATE")  # another command may do the same
        for table, column in _ADDRESSES:
            query = f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL"
            for row, address in store.execute(query).fetchall():
                moved = _moved(address, former, present, known=table == "experiments")
                store.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (moved, row))


def _file(uri: str) -> str:
    from sqlalchemy import make_url

    return make_url(uri).database or ""


def _moved(address: str, former: Path, present: Path, *, known: bool) -> str:
    """Return an address below a former folder as one below the present, if it is to change."""
    old = local_folder(address)
    if old is None or not old.is_relative_to(former):
        return address
    new = present / old.relative_to(former)
    if not known and not new.exists() and old.exists():
        return address
    return new.as_uri() if address.startswith("file:") else str(new)
