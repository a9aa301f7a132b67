"""Nothing stale: what every artifact was made from, and whether that still holds.

A `Provenance` is two flat mappings: the parameters and the sources (raw files, back-ends) that
an artifact's ancestors read. It lies as `provenance.json` in the artifact's version folder and
is written after the artifact, so a version without one was never finished.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline
from kedro.validation import DataValidationError
from pydantic import BaseModel

from kd_kedro.runs.environments import kedro_command
from kd_kedro.runs.kedro_internals import filepath, is_versioned, load_path, version_path
from kd_kedro.runs.parameter_check import flatten

FILE_NAME = "provenance.json"
_ABSENT = ", absent"  # in place of the hash of a source whose file is not there
Provenance = dict[str, dict[str, Any]]


def expected_provenance(
    dataset: str,
    pipeline: Pipeline,
    catalog: DataCatalog,
    sources: Mapping[str, str],
    recorded: Mapping[str, Provenance],
    operational: Set[str] = frozenset(),
) -> Provenance:
    """Return what a dataset would be made from if the pipeline ran now.

    Args:
        dataset: Name of an output of the pipeline.
        pipeline: The pipeline that makes it.
        catalog: Gives the present parameters.
        sources: Hash by name of every source, see `source_hashes`.
        recorded: Provenance by name of inputs that were themselves made by another run.
        operational: Keys of the parameters that change nothing in what comes out.
    """
    provenance: Provenance = {"parameters": {}, "sources": {}}
    for name in sorted(pipeline.to_outputs(dataset).inputs()):
        if name.startswith("params:"):
            leaves = _leaves(name[7:], catalog.load(name))
            decisive = {key: leaf for key, leaf in leaves.items() if key not in operational}
            provenance["parameters"].update(decisive)
        elif name in recorded:
            for kind, values in recorded[name].items():
                provenance[kind].update(values)
        elif name in sources:
            provenance["sources"][name] = sources[name]
    return provenance


def check_fresh(
    needed: Iterable[str],
    full: Pipeline,
    catalog: DataCatalog,
    sources: Mapping[str, str],
    pinned: Iterable[str],
    made_by: Mapping[str, str],
    operational: Set[str] = frozenset(),
    env: str | None = None,
) -> dict[str, Provenance]:
    """Check that what a pipeline is about to read was made from the present inputs.

    Args:
        needed: Names of the datasets the pipeline reads and does not make.
        full: The pipeline of everything, to know how they are made.
        catalog: The session's catalog.
        sources: Hash by name of every source.
        pinned: Names given to `--load-versions`: the user chose that version, stale or not.
        made_by: Name of the pipeline that makes each dataset.
        operational: The keys that `expected_provenance` describes.
        env: The run's environment, which what it is told to run needs too.

    Returns:
        The recorded provenance by name of those that were made by an earlier run.

    Raises:
        ValueError: One is missing, was never finished, or was made from other parameters or
            sources; the message names it, what differs, and the command that makes it anew.
    """
    recorded: dict[str, Provenance] = {}

    def changed(name: str, then: Provenance) -> str:
        return difference(then, expected_provenance(name, full, catalog, sources, {}, operational))

    def fresh(name: str) -> bool:
        folder = version_folder(catalog, name, "load")
        if folder is None:
            return _is_optional(name, catalog)
        try:
            then = read_provenance(name, folder, "")
        except ValueError:
            return False
        return name in set(pinned) or not changed(name, then)

    def remedy(name: str) -> str:
        parts = ",".join(_to_run(made_by[name], full, made_by, fresh))
        return f"run `{kedro_command(f'run --pipelines {parts}', env)}` first"

    for name in sorted(set(needed) & full.all_outputs()):
        if _is_optional(name, catalog):
            continue  # its reader looks at what it says of itself
        path = version_folder(catalog, name, "load")
        if path is None:
            absent = _not_there(name, catalog, name in set(pinned))
            raise ValueError(absent or f"{no_version(name, catalog)}: {remedy(name)}")
        finished = (path / FILE_NAME).is_file()
        recorded[name] = read_provenance(name, path, "" if finished else remedy(name))
        if name not in set(pinned) and (found := changed(name, recorded[name])):
            again = "bring the file back, or name another"
            if not found.endswith(f"{_ABSENT}' now"):
                again = (
                    f"{remedy(name)}, with the same --params as this, or give this the --params "
                    "that it was made with"
                )
            raise ValueError(f"{name} of version {path.name} is stale: {found}; {again}")
    return recorded


def _is_optional(name: str, catalog: DataCatalog) -> bool:
    return bool(getattr(catalog.get(name), "OPTIONAL", False))


def _to_run(
    first: str, full: Pipeline, made_by: Mapping[str, str], fresh: Callable[[str], bool]
) -> list[str]:
    """Return which pipelines have to run, so that one of them is not refused for what it reads.

    Args:
        first: The pipeline that makes what is wanted.
        full: The pipeline of everything.
        made_by: Name of the pipeline that makes each dataset, in the order they run.
        fresh: Tells of a dataset whether it can be read as it is.
    """
    found, waiting = set(), [first]
    while waiting:
        part = waiting.pop()
        found.add(part)
        nodes = [node for node in full.nodes if made_by[node.outputs[0]] == part]
        read = Pipeline(nodes).inputs() & full.all_outputs()
        waiting += {made_by[name] for name in read if not fresh(name)} - found
    return [part for part in dict.fromkeys(made_by.values()) if part in found]


def no_version(name: str, catalog: DataCatalog) -> str:
    """Return the words that say that a dataset has nothing to load, and where it would lie."""
    place = filepath(catalog.get(name))
    return f"there is no {name} ({place} {'has no version' if _is_there(place) else 'is missing'})"


def _is_there(place: Path | None) -> bool:
    return place is not None and place.exists()


def check_readable(
    names: Iterable[str],
    catalog: DataCatalog,
    made_by: Mapping[str, str],
    env: str | None = None,
) -> None:
    """Refuse a damaged table or JSON file before the first node, not where it is read.

    Args:
        names: Names of datasets that an earlier run made.
        catalog: The session's catalog.
        made_by: Name of the pipeline that makes each dataset.
        env: The run's environment, which what it is told to run needs too.

    Raises:
        ValueError: One cannot be read; the message names it, what is wrong, and the command that
            makes it anew.
    """
    for name in names:
        path = load_path(catalog.get(name))
        if not path.is_file():  # a model, whose weights take long
            continue
        try:
            catalog.load(name)
        except (DatasetError, DataValidationError) as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            command = kedro_command(f"run --pipelines {made_by[name]}", env)
            raise ValueError(
                f"{name} is damaged: {cause} in {path}; run `{command}` to make it anew"
            ) from error


def _not_there(name: str, catalog: DataCatalog, pinned: bool) -> str:
    """Say which versions there are where a pinned one is not; '' where there is none at all."""
    place = filepath(catalog.get(name))
    found = sorted(each.name for each in place.iterdir()) if place and place.is_dir() else []
    if not pinned or not found:
        return ""
    more = f" and {len(found) - 3} older ones" if len(found) > 3 else ""
    return (
        f"there is no such version of {name} as --load-versions names: there are "
        f"{', '.join(found[-3:])}{more}"
    )


def artifact_nodes(parts: Iterable[Pipeline], catalog: DataCatalog) -> Pipeline:
    """Return the nodes that make versioned artifacts.

    What fabrication leaves is a raw file like a user's own: a source, not an artifact.
    """
    return Pipeline(
        node
        for part in parts
        for node in part.nodes
        if any(version_folder(catalog, output, "save") for output in node.outputs)
    )


def read_provenance(name: str, folder: Path, remedy: str) -> Provenance:
    """Return what an artifact was made from.

    Raises:
        ValueError: It was never finished.
    """
    try:
        provenance: Provenance = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        then = f", then {remedy}" if remedy else ""
        raise ValueError(
            f"{name} of version {folder.name} was never finished: delete {folder}{then}"
        ) from error
    return provenance


def difference(then: Provenance, now: Provenance) -> str:
    """Return in words the first parameter or source that is not what it was; empty where none."""
    for kind, noun in (("parameters", "parameter"), ("sources", "source")):
        old, new = then.get(kind, {}), now[kind]
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                return f"{noun} {key} was {old.get(key)!r} and is {new.get(key)!r} now"
    return ""


def source_hashes(
    names: Iterable[str], catalog: DataCatalog, config: Mapping[str, Any]
) -> dict[str, str]:
    """Return name and hash of every source: of its files' bytes and its catalog entry.

    The folder a file lies in does not count, nor how an entry is shown.
    """
    return {
        name: _source_hash(catalog.get(name), config.get(name, {}))
        for name in sorted(names)
        if not name.startswith(("params:", "parameters"))
    }


def version_folder(catalog: DataCatalog, name: str, mode: str) -> Path | None:
    """Return the folder of the version a session loads or saves; None where there is none."""
    dataset: Any = catalog.get(name)
    if dataset is None or not is_versioned(dataset):
        return None
    if mode == "load" and not dataset.exists():
        return None
    version = dataset.resolve_load_version() if mode == "load" else dataset.resolve_save_version()
    return version_path(dataset, str(version)).parent


def write_provenance(folder: Path, provenance: Provenance) -> None:
    """Write the provenance beside a finished artifact."""
    text = json.dumps(provenance, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


def _leaves(key: str, value: Any) -> dict[str, Any]:
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    leaves = dict(flatten(plain, f"{key}.")) if isinstance(plain, Mapping) else {key: plain}
    return json.loads(json.dumps(leaves))  # type: ignore[no-any-return]


def _source_hash(dataset: Any, entry: Any) -> str:
    place = {"filepath", "prompts", "cache", "metadata", "versioned"}
    settings = _without(dict(entry or {}), place | getattr(dataset, "OPERATIONAL", frozenset()))
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    path = filepath(dataset) or Path()
    files = getattr(dataset, "files", [path] if path.is_file() else [])
    if path.suffix and not files:
        return f"{path.name}{_ABSENT}"
    for each in files:
        if each != path:  # one of a folder's, whose name says which part it is
            digest.update(each.relative_to(path).as_posix().encode())
        with each.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return f"{path.name if files else 'settings'}, hash {digest.hexdigest()[:16]}"


def _without(settings: Any, keys: Set[str]) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    return {key: _without(value, keys) for key, value in settings.items() if key not in keys}
