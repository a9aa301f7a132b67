"""The run whose student is to be promoted: found, checked to be the one judged, and read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.runs.environments import kedro_command
from kd_kedro.runs.kedro_internals import catalog_of_versions, version_path
from kd_kedro.runs.prune import recipes
from kd_kedro.runs.recipe import (
    RECIPE,
    REPRODUCES,
    Recipe,
    artifact_text,
    find_run,
    read_recipe,
    run_name,
    tracked_runs,
)

ANSWER_LENGTH = "evaluation.answering.max_new_tokens"
_NAMED = 8  # digits of MLflow's id that a command names a run by
NEEDED = ("student", "verdict", "augmented_qa")


@dataclass(frozen=True)
class Candidate:
    """A run's student and what was said of it.

    Attributes:
        run_id: MLflow's id of the run.
        kedro_run_id: Kedro's timestamp of it.
        versions: Version by name of what the run read or made.
        student: The student, an adapter merged.
        verdict: The verdict on it.
        augmented_qa: The rows it was trained on and judged by.
        commit: Git's name of the run's code; '' where there was no repository.
        git_dirty: `true` where files differed from that commit, `false`, or '' where not known.
        card: Its model card; '' where the run made none.
        max_new_tokens: Most tokens of a judged answer; None where the recipe does not say it.
    """

    run_id: str
    kedro_run_id: str
    versions: Mapping[str, str]
    student: LanguageModel
    verdict: Mapping[str, Any]
    augmented_qa: pd.DataFrame
    commit: str = ""
    git_dirty: str = ""
    card: str = ""
    max_new_tokens: int | None = None


def find_candidate(context: Any, client: Any, experiment: str, name: str | None) -> Candidate:
    """Return the student of a run.

    Args:
        context: Kedro's, of the environment the run was made in.
        client: An `MlflowClient`.
        experiment: Id of the experiment.
        name: MLflow's id of the run or Kedro's timestamp, or the start of either; None for the
            latest with a student and a verdict in this environment that is no repetition.

    Raises:
        ValueError: There is no such run, or it has no student or no verdict, or a verdict on
            another student.
    """
    recipe_of = recipes(client, experiment)
    catalog = context.catalog  # made anew each time it is asked for
    if name:
        run = find_run(client, experiment, name, context.env)
        versions = _versions(client, run, catalog)
        if missing := [part for part in NEEDED if part not in versions]:
            raise ValueError(_why_missing(missing[0], run, read_recipe(client, run), context.env))
        if other := _judged_otherwise(versions, recipe_of):
            raise ValueError(f"run {run_name(run)} {other}: promote the run that judged it")
        return _load(client, experiment, run, context, versions)
    for run in tracked_runs(client, experiment, "attributes.status = 'FINISHED'"):
        if REPRODUCES in run.data.tags or artifact_text(client, run.info.run_id, RECIPE) is None:
            continue
        versions = _versions(client, run, catalog)
        if all(part in versions for part in NEEDED) and not _judged_otherwise(versions, recipe_of):
            return _load(client, experiment, run, context, versions)
    raise ValueError(
        "no finished run has a student and a verdict in this environment: run "
        f"`{kedro_command('run', context.env)}`, or name another environment with --env"
    )


def _why_missing(part: str, run: Any, recipe: Recipe, env: str | None) -> str:
    version, name = made_or_read(recipe).get(part), run_name(run)
    if version is None:
        whole = kedro_command("run", recipe.env)
        return f"run {name} neither made nor read {part}: `{whole}` to its end makes one"
    if recipe.env != env:
        start = run.info.run_id[:_NAMED]
        there = kedro_command(f"promote {start}", recipe.env)
        return f"run {name} was made in another environment: `{there}`"
    return f"{part} of version {version}, which run {name} had, is gone: name another run"


def _versions(client: Any, run: Any, catalog: Any) -> dict[str, str]:
    """Return the version by name of what a run read or made, as far as it is still there."""
    versions = made_or_read(read_recipe(client, run))
    return {
        name: versions[name]
        for name in (*NEEDED, "model_card")
        if name in versions and versions_exist(catalog, {name: versions[name]})
    }


def _with_card(
    client: Any, experiment: str, run: Any, context: Any, versions: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the versions with the newest model card that was written from the run's evidence.

    Evaluation and reporting may have run apart.
    """
    evidence = made_or_read(read_recipe(client, run)).get("evidence")
    if "model_card" in versions or evidence is None:
        return versions
    catalog = context.catalog
    for each in tracked_runs(client, experiment, "attributes.status = 'FINISHED'"):
        if artifact_text(client, each.info.run_id, RECIPE) is None:
            continue
        recipe = read_recipe(client, each)
        card = recipe.saved.get("model_card")
        if card is None or recipe.loaded.get("evidence") != evidence:
            continue
        if versions_exist(catalog, {"model_card": card.version}):
            return {**versions, "model_card": card.version}
    return versions


def _judged_otherwise(
    versions: Mapping[str, str], recipe_of: Callable[[str], Recipe | None]
) -> str:
    """Return in words that a run's verdict is not on its student; '' where it is.

    A run may load both, pinned with --load-versions: they need not belong together.
    """
    judged: str | None = versions["verdict"]
    for name in ("validation_results", "student"):
        recipe = recipe_of(judged) if judged else None
        judged = made_or_read(recipe).get(name) if recipe else None
    if judged == versions["student"]:
        return ""
    return (
        f"has the student of version {versions['student']} and a verdict on "
        f"{judged or 'one that is not known'}"
    )


def made_or_read(recipe: Recipe) -> dict[str, str]:
    """Return the version by name of what a run read or made."""
    return {**recipe.loaded, **{name: each.version for name, each in recipe.saved.items()}}


def versions_exist(catalog: Any, versions: Mapping[str, str]) -> bool:
    """Return whether all of these versions, by dataset, are still on disk."""
    return all(
        name in catalog and version_path(catalog.get(name), version).exists()
        for name, version in versions.items()
    )


def _load(
    client: Any, experiment: str, run: Any, context: Any, versions: Mapping[str, str]
) -> Candidate:
    from kd_kedro.models.adapters import merged

    versions = _with_card(client, experiment, run, context, versions)
    catalog = catalog_of_versions(context, versions)
    student = catalog.load("student")
    return Candidate(
        run.info.run_id,
        run.data.tags.get("kedro_run_id", ""),
        versions,
        LanguageModel(merged(student.model), student.tokenizer, student.card),
        catalog.load("verdict"),
        catalog.load("augmented_qa"),
        run.data.tags.get("mlflow.source.git.commit", ""),
        run.data.tags.get("git_dirty", ""),
        catalog.load("model_card") if "model_card" in versions else "",
        read_recipe(client, run).parameters.get(ANSWER_LENGTH),
    )
