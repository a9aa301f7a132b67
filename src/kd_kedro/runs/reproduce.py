"""A past run once more: whether it can be run again, and whether it made the same."""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from kd_kedro.runs.kedro_internals import filepath, version_path
from kd_kedro.runs.provenance import source_hashes
from kd_kedro.runs.recipe import Recipe, content_hash, run_name


def check_recipe(run: Any, recipe: Recipe) -> None:
    """Check that a run's recipe says all that is needed.

    Raises:
        ValueError: It failed, its code or its configuration is not known, or it did only what was
            missing, or saved nothing.
    """
    name = run_name(run)
    if run.info.status != "FINISHED":
        raise ValueError(f"run {name} did not finish (MLflow says {run.info.status})")
    if not recipe.commit:
        raise ValueError(f"run {name} was not made in a git repository: its code is not known")
    if recipe.dirty:
        raise ValueError(
            f"run {name} was made with uncommitted changes on {recipe.commit[:12]}: its code is "
            "not known"
        )
    if recipe.conf_source:
        raise ValueError(
            f"run {name} was made with --conf-source {recipe.conf_source}, whose state then is not "
            "known"
        )
    if recipe.only_missing_outputs:
        raise ValueError(f"run {name} made only what was missing then (--only-missing-outputs)")
    if not recipe.saved:
        raise ValueError(
            f"run {name} says of nothing that it saved it: there is nothing to compare"
        )


def check_tree(recipe: Recipe, commit: str, changes: str) -> None:
    """Check that the code is the run's.

    Args:
        recipe: The run's recipe.
        commit: The present commit.
        changes: What `git status --porcelain` says of the files that decide a run.

    Raises:
        ValueError: The tree is dirty or at another commit.
    """
    if not commit:
        raise ValueError("this project is no git repository: clone it to have the run's code")
    if changes:
        first = changes.splitlines()[0][2:].strip()
        raise ValueError(f"the tree has uncommitted changes ({first}): commit or stash them")
    if commit != recipe.commit:
        raise ValueError(
            f"the tree is at commit {commit[:12]}, the run was at {recipe.commit[:12]}: "
            f"`git checkout {recipe.commit}`"
        )


def check_inputs(
    recipe: Recipe,
    pipeline: Pipeline,
    parameters: Mapping[str, Any],
    catalog: DataCatalog,
    config: Mapping[str, Any],
) -> None:
    """Check that parameters and sources are what they were.

    Args:
        recipe: The run's recipe.
        pipeline: The nodes it ran.
        parameters: What they would read now, flat.
        catalog: Catalog of the run's environment and parameters.
        config: Its configuration.

    Raises:
        ValueError: One differs; the message names it, then and now.
    """
    now = json.loads(json.dumps(parameters, default=str))
    for key in sorted(now):
        if recipe.parameters.get(key) != now[key]:
            raise ValueError(
                f"parameter {key} was {recipe.parameters.get(key)!r} and is {now[key]!r} now: "
                "what does not lie in git (conf/local) must be what it was"
            )
    own = [name for name in recipe.inputs if name in recipe.sources]
    for name, found in source_hashes(own, catalog, config).items():
        if found != recipe.sources[name]:
            path = filepath(catalog.get(name)) or "its entry"
            raise ValueError(
                f"{name} is not what the run read: {path} was "
                f"{recipe.sources[name]} and is {found} now"
            )


def check_loaded(
    recipe: Recipe, catalog: DataCatalog, recipe_of: Callable[[str], Recipe | None]
) -> None:
    """Check that the versions a run loaded are there and are what was saved.

    Args:
        recipe: The run's recipe.
        catalog: Catalog of the run's environment.
        recipe_of: Gives the recipe of the run of a timestamp; None if it has none.

    Raises:
        ValueError: One is gone or was changed; the message names it.
    """
    for name, version in recipe.loaded.items():
        path = version_path(catalog.get(name), version)
        if not path.exists():
            raise ValueError(
                f"{name} of version {version}, which the run loaded, is gone: {path} does not exist"
            )
        maker = recipe_of(version)
        saved = maker.saved.get(name) if maker else None
        if saved and content_hash(path.parent) != saved.sha256:
            raise ValueError(
                f"{name} of version {version}, which the run loaded, was changed since it was "
                f"saved: bring {path.parent} back"
            )


def not_comparable(
    full: Pipeline, not_repeatable: Mapping[str, str], made: Collection[str]
) -> dict[str, str]:
    """Return by dataset why it cannot be compared.

    Args:
        full: The pipeline of everything.
        not_repeatable: By output that no run makes twice, why. What is made from it cannot be
            compared either.
        made: Names of what the run made. What it read of an earlier run is the same this time.
    """
    reasons = {name: reason for name, reason in not_repeatable.items() if name in made}
    for name in list(reasons):
        for output in sorted(full.from_inputs(name).all_outputs()):
            reasons.setdefault(output, f"it is made from {name}")
    return reasons


def agreement(
    then: Recipe, now: Recipe, reasons: Mapping[str, str], measured_parts: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return of every output of a run whether the new one is the same.

    Args:
        then: The recipe of the past run.
        now: That of its repetition.
        reasons: By dataset, why it cannot be compared.
        measured_parts: By dataset, its part that holds measured times; the rest is compared.

    Returns:
        By dataset `outcome` (agrees, differs, not made, cannot be compared) and `reason`.
    """
    found = {}
    for name, old in sorted(then.saved.items()):
        new = now.saved.get(name)
        if new is None:
            outcome, reason = "not made", "the run left none this time"
        elif old.sha256 == new.sha256:
            outcome, reason = "agrees", ""
        elif old.unmeasured_sha256 and old.unmeasured_sha256 == new.unmeasured_sha256:
            outcome, reason = "agrees", f"without its part {measured_parts.get(name, '')}"
        elif old.unmeasured_sha256:
            outcome, reason = "differs", f"not only in its part {measured_parts.get(name, '')}"
        elif name in reasons:
            outcome, reason = "cannot be compared", reasons[name]
        else:
            outcome, reason = "differs", f"{old.sha256[:12]} then, {new.sha256[:12]} now"
        found[name] = {"outcome": outcome, "reason": reason}
    return found
