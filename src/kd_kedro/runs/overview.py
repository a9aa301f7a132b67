"""The runs there were, with what a person tells them by and what came of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kd_kedro.metrics.scores.formatting import show, title
from kd_kedro.runs.recipe import (
    REPRODUCES,
    SHEET,
    Recipe,
    artifact_text,
    read_recipe,
    run_part,
    tracked_runs,
)

_SHOWN = 8  # digits of MLflow's id: enough to name a run by


@dataclass(frozen=True)
class RunSummary:
    """A run in a line; what is not known of it is ''.

    Attributes:
        name: The start of MLflow's id, which every command takes.
        started: The start of Kedro's timestamp, to the minute, which they take too.
        sheet: File that its rows came from.
        recipe: Environment, 'base' for the default one, and what was run of the main job.
        state: finished, failed, killed or running.
        verdict: Its overall verdict.
        figure: The first metric that decides, of student and baseline.
    """

    name: str
    started: str
    sheet: str
    recipe: str
    state: str
    verdict: str
    figure: str


def list_runs(
    client: Any, experiment: str, project: Path, *, last: int, sheet: str, verdict: str
) -> tuple[list[RunSummary], int]:
    """Return the latest runs of Kedro, newest first, and how many there are in all.

    Trials of a study are none.

    Args:
        client: An `MlflowClient`.
        experiment: Id of the experiment.
        project: The project's folder.
        last: Runs at most.
        sheet: Name of the dataset that holds the rows as they came.
        verdict: Name of the dataset that holds the verdict.
    """
    own = [run for run in tracked_runs(client, experiment) if "kedro_run_id" in run.data.tags]
    return [_summary(client, run, project, sheet, verdict) for run in own[:last]], len(own)


def _summary(client: Any, run: Any, project: Path, sheet: str, verdict: str) -> RunSummary:
    try:
        recipe = read_recipe(client, run)
    except ValueError:  # it goes on, or was killed before it left one
        recipe = None
    said = _verdict(client, run, recipe, project, verdict) if recipe else None
    env = recipe.env if recipe else run.data.tags.get("env")
    again = run.data.tags.get(REPRODUCES, "")[:_SHOWN]
    ran = [env or "base", run_part(recipe.command) if recipe else "", again and f"as {again}"]
    return RunSummary(
        name=run.info.run_id[:_SHOWN],
        started=run.data.tags["kedro_run_id"][: len("2026-11-29T18.48")],
        # A source is recorded as its file's name and its hash.
        sheet=run.data.tags.get(SHEET)
        or (recipe.sources.get(sheet, "").rpartition(", ")[0] if recipe else ""),
        recipe=", ".join(filter(None, ran)),
        state=run.info.status.lower(),
        verdict=said["overall"] if said else "",
        figure=_figure(said) if said else "",
    )


def _verdict(client: Any, run: Any, recipe: Recipe, project: Path, name: str) -> Any:
    """Return the verdict that a run reached, from its version or MLflow's copy; None for none."""
    saved = recipe.saved.get(name)
    if saved is None:
        return None
    file = project / saved.path / Path(saved.path).parent.name
    text = file.read_text(encoding="utf-8") if file.is_file() else None
    text = text or artifact_text(client, run.info.run_id, f"{name}/{file.name}")
    return json.loads(text) if text else None


def _figure(verdict: Mapping[str, Any]) -> str:
    name = verdict["primary"][0]
    metric = verdict["metrics"][name]
    student, baseline = (metric[system]["estimate"] for system in ("student", "baseline"))
    return f"{title(name)} {show(name, student)}, baseline {show(name, baseline)}"
