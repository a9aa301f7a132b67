"""What of Kedro has no public name: every use of it outside the datasets stands here.

`tests/runs/test_private_interfaces.py` fails where an upgrade of Kedro breaks one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset


def is_versioned(dataset: Any) -> bool:
    """Return whether a dataset keeps versions."""
    return isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None


def version_path(dataset: Any, version: str) -> Path:
    """Return where a versioned dataset keeps the file or folder of a version."""
    return Path(str(dataset._get_versioned_path(version)))


def load_path(dataset: Any) -> Path:
    """Return what a dataset would load: of a versioned one the version's file or folder."""
    return Path(str(dataset._get_load_path()))


def filepath(dataset: Any) -> Path | None:
    """Return the path of a dataset's entry in the catalog; None where it has none."""
    path = getattr(dataset, "_filepath", None)
    return Path(str(path)) if path else None


def on_this_machine(dataset: Any) -> bool:
    """Return whether a dataset's files lie in a local file system."""
    return getattr(dataset, "_protocol", "file") in ("file", "")


def catalog_of_versions(context: Any, versions: Mapping[str, str]) -> Any:
    """Return a context's catalog with these versions by name of the dataset pinned."""
    return context._get_catalog(load_versions=dict(versions))
