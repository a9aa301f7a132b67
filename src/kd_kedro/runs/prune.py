"""Which versions may go: older ones that nobody registered, tagged, pinned or stands on."""

import re
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog

from kd_kedro.runs.kedro_internals import filepath, is_versioned, on_this_machine
from kd_kedro.runs.mlflow_store import local_folder
from kd_kedro.runs.product_metadata import product_metadata
from kd_kedro.runs.provenance import FILE_NAME
from kd_kedro.runs.recipe import RECIPE, Recipe, artifact_text, read_recipe, tracked_runs

KEEP = "keep"
FORGOTTEN = "MLflow does not know its run; --forgotten lets it go"
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}\.\d{2}\.\d{2}\.\d{3}Z")
_RAW = "01_raw"
# Younger than this, an unfinished version may be one that a run is writing.
_SECONDS = 3600


@dataclass(frozen=True)
class Version:
    """One version of one dataset.

    Attributes:
        size: Bytes of the folder.
        finished: Whether all of it was written.
        age: Seconds since the folder was last changed.
        copy: MLflow's copy, which goes with the version; None where it keeps none on this machine.
        copy_size: Bytes of the copy.
    """

    dataset: str
    version: str
    folder: Path
    size: int
    finished: bool
    age: float
    copy: Path | None = None
    copy_size: int = 0


@dataclass(frozen=True)
class Choice:
    """What happens to a version, and why."""

    version: Version
    goes: bool
    reason: str


def versions_of(
    catalog: DataCatalog, names: Iterable[str], artifacts: Mapping[str, Path] | None = None
) -> list[Version]:
    """Return every version folder that the datasets of these names have on this machine.

    Args:
        catalog: Where the datasets lie.
        names: Their names.
        artifacts: By timestamp of a run, the folder in which MLflow has its artifacts, see
            `artifact_folders`.
    """
    found = []
    artifacts = artifacts or {}
    for name in sorted(names):
        dataset = catalog.get(name)
        place = filepath(dataset) if is_versioned(dataset) else None
        if place is None or not on_this_machine(dataset):
            continue
        if _RAW in place.parts or not place.is_dir():
            continue
        for folder in sorted(place.iterdir()):
            if VERSION.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
                # What outlives its version is no copy that would go with it.
                kept = product_metadata(catalog, name).kept
                run = None if kept else artifacts.get(folder.name)
                found.append(_version(name, folder, run and run / name))
    return found


def artifact_folders(client: Any, experiment: str) -> dict[str, Path]:
    """Return by Kedro's timestamp the folder of a run's artifacts, where this machine has it."""
    found = {}
    for run in tracked_runs(client, experiment, deleted=True):
        timestamp, folder = run.data.tags.get("kedro_run_id"), local_folder(run.info.artifact_uri)
        if timestamp and folder is not None and folder.is_dir():
            found[timestamp] = folder
    return found


def choose(
    versions: Iterable[Version],
    *,
    keep_last: int,
    protected: Mapping[str, str],
    pinned: Iterable[str],
    recipe_of: Callable[[str], Recipe | None],
    known: Set[str] | None = None,
) -> list[Choice]:
    """Return what happens to every version.

    Args:
        versions: All there are.
        keep_last: Finished versions to keep of every dataset, at least 1.
        protected: By timestamp of a run, why all that it saved and loaded is kept.
        pinned: Versions in the form of `--load-versions` (dataset:version), or a run's timestamp.
        recipe_of: Gives the recipe of the run of a timestamp; None if it has none.
        known: Timestamps of the runs that MLflow knows. The finished versions of others are kept:
            it may be another store that has them registered or tagged. None to let them go too.
    """
    if keep_last < 1:
        raise ValueError(f"--keep-last is {keep_last}: at least one version is kept")
    versions = list(versions)
    there = {(each.dataset, each.version) for each in versions}
    reasons = _last(versions, keep_last)
    pins = set(pinned)
    runs = {**protected, **{pin: "pinned" for pin in pins if VERSION.fullmatch(pin)}}
    for name, version in there:
        if f"{name}:{version}" in pins:
            reasons.setdefault((name, version), "pinned")
        elif version in runs:
            reasons.setdefault((name, version), runs[version])
    for timestamp, reason in runs.items():
        recipe = recipe_of(timestamp)
        for key in there & set(recipe.loaded.items()) if recipe else ():
            reasons.setdefault(key, f"loaded by {timestamp} ({reason})")
    _keep_what_was_loaded(reasons, there, recipe_of)
    for each in versions:
        if known is not None and each.finished and each.version not in known:
            reasons.setdefault((each.dataset, each.version), FORGOTTEN)
    # Two entries of the catalog may name one folder: what one of them keeps stays.
    kept: dict[Path, str] = {}
    for each in versions:
        if (each.dataset, each.version) in reasons:
            kept.setdefault(each.folder, reasons[each.dataset, each.version])
    return [_choice(each, kept.get(each.folder, "")) for each in versions]


def protected_runs(client: Any, experiment: str) -> dict[str, str]:
    """Return by Kedro's timestamp why a run's versions are kept: registered, tagged, going on.

    Args:
        client: An `MlflowClient`.
        experiment: Id of the experiment.
    """
    kept: dict[str, str] = {}
    token = None
    while True:
        page = client.search_model_versions(max_results=1000, page_token=token)
        for model in page:
            timestamp = model.tags.get("kedro_run_id") or _timestamp(client, model.run_id)
            if timestamp:
                kept[timestamp] = f"registered as {model.name} {model.version}"
        token = page.token
        if not token:
            break
    for run in tracked_runs(client, experiment):
        timestamp = run.data.tags.get("kedro_run_id")
        if timestamp and KEEP in run.data.tags:
            kept.setdefault(timestamp, f"tagged {KEEP}")
        elif timestamp and run.info.status == "RUNNING":
            kept.setdefault(timestamp, "its run has not ended")
    return kept


def known_runs(client: Any, experiment: str) -> set[str]:
    """Return Kedro's timestamp of every run in MLflow, also of those that were deleted there."""
    runs = tracked_runs(client, experiment, deleted=True)
    return {run.data.tags["kedro_run_id"] for run in runs if "kedro_run_id" in run.data.tags}


def recipes(client: Any, experiment: str) -> Callable[[str], Recipe | None]:
    """Return a function that gives the recipe of the run of a timestamp, each read once.

    The function raises ValueError where a recipe is damaged: what that run loaded is not known.
    """

    @cache
    def recipe_of(timestamp: str) -> Recipe | None:
        condition = f"tags.kedro_run_id = '{timestamp}'"
        run = next(tracked_runs(client, experiment, condition), None)
        if run is None or artifact_text(client, run.info.run_id, RECIPE) is None:
            return None
        return read_recipe(client, run)

    return recipe_of


def delete(choices: Iterable[Choice]) -> None:
    """Delete the versions that go, and MLflow's copies of them.

    The provenance goes first: a version whose deletion was interrupted is none that was finished.
    The folder goes last, since without it nobody looks for the copy again.
    """
    for version in (choice.version for choice in choices if choice.goes):
        (version.folder / FILE_NAME).unlink(missing_ok=True)
        for folder in (version.copy, version.folder):
            if folder is not None and folder.is_dir():  # two entries may name one folder
                shutil.rmtree(folder)


def _last(versions: Iterable[Version], count: int) -> dict[tuple[str, str], str]:
    finished: dict[str, list[str]] = defaultdict(list)
    for each in versions:
        if each.finished:
            finished[each.dataset].append(each.version)
    return {
        (name, version): f"among the last {count}"
        for name, own in finished.items()
        for version in sorted(own)[-count:]
    }


def _keep_what_was_loaded(
    reasons: dict[tuple[str, str], str],
    there: set[tuple[str, str]],
    recipe_of: Callable[[str], Recipe | None],
) -> None:
    """Keep what the run of every kept version loaded, and so on."""
    open_ends, seen = list(reasons), set[str]()
    while open_ends:
        _, timestamp = open_ends.pop()
        if timestamp in seen:
            continue
        seen.add(timestamp)
        recipe = recipe_of(timestamp)
        for key in there & set(recipe.loaded.items()) if recipe else ():
            reasons.setdefault(key, f"loaded by {timestamp}")
            open_ends.append(key)


def _choice(each: Version, reason: str) -> Choice:
    if reason:
        return Choice(each, False, reason)
    if each.finished:
        return Choice(each, True, "older")
    if each.age < _SECONDS:
        return Choice(each, False, f"unfinished, changed {each.age / 60:.0f} minutes ago")
    return Choice(each, True, "unfinished")


def _version(name: str, folder: Path, copy: Path | None) -> Version:
    there = copy is not None and copy.is_dir()
    return Version(
        dataset=name,
        version=folder.name,
        folder=folder,
        size=_bytes_in(folder),
        finished=(folder / FILE_NAME).is_file(),
        age=time.time() - folder.stat().st_mtime,
        copy=copy if there else None,
        copy_size=_bytes_in(copy) if there and copy else 0,
    )


def _bytes_in(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _timestamp(client: Any, run_id: str | None) -> str | None:
    if not run_id:
        return None
    tag: str | None = client.get_run(run_id).data.tags.get("kedro_run_id")
    return tag
