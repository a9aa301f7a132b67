"""What a run was made of, as its artifact `recipe.json`; and finding a run again by its name."""

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kd_kedro.runs.environments import kedro_command
from kd_kedro.runs.provenance import FILE_NAME

RECIPE = "recipe.json"
# Tag of a run that `kedro reproduce` made: MLflow's id of the run it repeats.
REPRODUCES = "reproduces"
# Tag of every run: name of the file that its rows came from.
SHEET = "sheet"
_LONGEST = 60  # letters that say which part of the job a run was
# Of a session's run; what was loaded is pinned instead of `load_versions`.
COMMAND = (
    "pipeline_names",
    "tags",
    "node_names",
    "from_nodes",
    "to_nodes",
    "from_inputs",
    "to_outputs",
    "namespaces",
)
# They say what an artifact was made from and what it is; they are not what was made.
_LABELS = {FILE_NAME, "card.json"}
# Libraries that decide what comes out, some of them the last digits alone.
_LIBRARIES = (
    *("ftfy", "hdbscan", "numpy", "pandas", "peft", "rouge-score", "sacrebleu", "scikit-learn"),
    *("scipy", "sentence-transformers", "tokenizers", "torch", "transformers"),
)
_BLOCK = 1 << 20


class Saved(BaseModel):
    """A version that a run saved, with the hash of its content and its folder in the project.

    Attributes:
        unmeasured_sha256: Hash of all but its measured part; '' where it has none.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    sha256: str
    unmeasured_sha256: str = ""
    path: str


class Recipe(BaseModel):
    """All that made a run: code, parameters, versions it loaded, sources; and what it saved."""

    model_config = ConfigDict(frozen=True)

    format: Literal["kd_kedro.recipe/1"] = Field(default="kd_kedro.recipe/1", alias="schema")
    kedro_run_id: str
    env: str | None
    params: dict[str, Any]
    command: dict[str, list[str]]
    only_missing_outputs: bool
    commit: str
    dirty: bool
    conf_source: str = ""
    environment: dict[str, str]
    parameters: dict[str, Any]
    inputs: list[str]
    loaded: dict[str, str]
    saved: dict[str, Saved]
    sources: dict[str, str]


def run_part(chosen: Mapping[str, Any]) -> str:
    """Return in words what of the whole job a run was of; '' where it was all.

    Args:
        chosen: What was chosen of it, by Kedro's names of the options: `Recipe.command`, or all
            that Kedro knows of the run.
    """
    names: Sequence[str] = chosen.get("node_names") or chosen.get("pipeline_names") or ()
    words = "+".join(name for name in names if name != "__default__")
    if not words and any(chosen.get(key) for key in COMMAND if key != "pipeline_names"):
        words = "a part"
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def make_recipe(
    run_params: Mapping[str, Any],
    *,
    commit: str,
    dirty: bool,
    conf_source: str = "",
    inputs: list[str],
    parameters: Mapping[str, Any],
    loaded: Mapping[str, str],
    saved: Mapping[str, Path],
    measured_parts: Mapping[str, str],
) -> Recipe:
    """Return a run's recipe; the sources are those that the saved versions were made from.

    Args:
        run_params: Kedro's, of the run.
        commit: Git's name of the code; '' where there is no repository.
        dirty: Whether files of `storage.git.CODE` differed from that commit.
        conf_source: Where the configuration lay (`--conf-source`); '' is conf in the project.
        inputs: Names of the datasets the run read and did not make.
        parameters: What its nodes read, flat.
        loaded: Version by name of every versioned dataset the run read and did not make.
        saved: Folder by name of every version it saved.
        measured_parts: By name of a saved product, its part that holds measured times, if any.
    """
    project = Path(run_params["project_path"])
    sources: dict[str, str] = {}
    inherited: dict[str, Any] = {}
    for folder in saved.values():
        provenance = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        sources.update(provenance["sources"])
        inherited.update(provenance["parameters"])
    versions = {
        name: {
            "version": folder.name,
            "sha256": content_hash(folder),
            "unmeasured_sha256": unmeasured_hash(folder, measured_parts.get(name, "")),
            "path": relative(folder, project),
        }
        for name, folder in sorted(saved.items())
    }
    recipe = {
        "kedro_run_id": run_params["run_id"],
        "env": run_params["env"],
        "params": run_params["runtime_params"] or {},
        "command": {name: sorted(run_params[name]) for name in COMMAND if run_params.get(name)},
        "only_missing_outputs": bool(run_params.get("only_missing_outputs")),
        "commit": commit,
        "dirty": dirty,
        "conf_source": "" if Path(conf_source) in (Path(), project / "conf") else conf_source,
        "environment": _environment(),
        "parameters": {**inherited, **parameters},
        "inputs": sorted(inputs),
        "loaded": dict(sorted(loaded.items())),
        "saved": versions,
        "sources": dict(sorted(sources.items())),
    }
    # As it will be read: what JSON has no type for is text.
    return Recipe.model_validate(json.loads(json.dumps(recipe, default=str)))


def content_hash(folder: Path) -> str:
    """Return the SHA-256 of a version's files, names and bytes, without provenance and cards."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name in _LABELS:
            continue
        name = path.relative_to(folder).as_posix().encode()
        digest.update(b"%d %b %d " % (len(name), name, path.stat().st_size))
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def unmeasured_hash(folder: Path, part: str) -> str:
    """Return the SHA-256 of a JSON product without its measured part, '' where it has none.

    Args:
        folder: The folder of its version.
        part: Key of the part; '' for none.
    """
    if not part:
        return ""
    content = json.loads((folder / folder.parent.name).read_text(encoding="utf-8"))
    if part not in content:
        return ""
    rest = {key: value for key, value in content.items() if key != part}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def recipe_text(recipe: Recipe) -> str:
    """Return the recipe as the JSON it is kept as."""
    plain = recipe.model_dump(mode="json", by_alias=True)
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def tracked_runs(
    client: Any, experiment: str, condition: str = "", *, deleted: bool = False
) -> Iterator[Any]:
    """Yield the runs of an experiment, newest first.

    Args:
        client: An `MlflowClient`.
        experiment: Id of the experiment.
        condition: A filter in the form of MLflow's `search_runs`.
        deleted: Also those that were deleted and can still be restored.
    """
    from mlflow.entities import ViewType

    view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
    token = None
    while True:
        page = client.search_runs([experiment], condition, view, 1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def find_run(client: Any, experiment: str, name: str, env: str | None = None) -> Any:
    """Return the run of that name.

    Args:
        client: An `MlflowClient`.
        experiment: Id of the experiment.
        name: MLflow's id of the run or Kedro's timestamp, whole or as much as is needed.
        env: The environment of the command, which what the user is told to run needs too.

    Raises:
        ValueError: No run or more than one has it.
    """
    found: dict[str, Any] = {}
    if re.fullmatch(r"[0-9A-Za-z.:-]+", name):
        for key in ("attributes.run_id", "tags.kedro_run_id"):
            for run in tracked_runs(client, experiment, f"{key} LIKE '{name}%'"):
                found[run.info.run_id] = run
    if not found:
        raise ValueError(
            f"no run {name}: give the start of MLflow's id or of Kedro's timestamp, "
            f"which `{kedro_command('runs', env)}` shows"
        )
    if len(found) > 1:
        shown = ", ".join(f"{run_name(run)}" for run in list(found.values())[:5])
        raise ValueError(f"{len(found)} runs begin with {name}: {shown}; give more of its name")
    return next(iter(found.values()))


def run_name(run: Any) -> str:
    """Return the names that a person tells a run by."""
    timestamp = run.data.tags.get("kedro_run_id")
    return f"{run.info.run_id[:12]} of {timestamp}" if timestamp else run.info.run_id[:12]


def read_recipe(client: Any, run: Any) -> Recipe:
    """Return what a run was made of.

    Raises:
        ValueError: It has no recipe, or a damaged one.
    """
    text = artifact_text(client, run.info.run_id, RECIPE)
    if text is None:
        raise ValueError(
            f"run {run_name(run)} has no {RECIPE} (MLflow says {run.info.status}): name another run"
        )
    try:
        return Recipe.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"{RECIPE} of run {run_name(run)} is damaged: {where or 'the file'}: {first['msg']}"
        ) from error


def artifact_text(client: Any, run_id: str, path: str) -> str | None:
    """Return the text of a run's artifact; None where there is no such artifact."""
    folder = path.rpartition("/")[0] or None
    if path not in {item.path for item in client.list_artifacts(run_id, folder)}:
        return None
    with TemporaryDirectory() as to:
        return Path(client.download_artifacts(run_id, path, to)).read_bytes().decode("utf-8")


def relative(path: Path, project: Path) -> str:
    """Return a path as it stands in the project; one outside of it whole."""
    whole = project / path
    return (whole.relative_to(project) if whole.is_relative_to(project) else whole).as_posix()


def _environment() -> dict[str, str]:
    threads = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count())
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    return {**machine, "threads": threads, **{name: version(name) for name in _LIBRARIES}}
