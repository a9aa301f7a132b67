"""What `kedro runs`, `compare`, `reproduce` and `prune` do, given a context; findings come out."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from kd_kedro.hooks.going_on import GoingOnHooks
from kd_kedro.hooks.mlflow import TrackingHooks
from kd_kedro.registry.candidate import made_or_read, versions_exist
from kd_kedro.runs.compare import SCHEMA, compare_outcomes, compare_recipes, read_table
from kd_kedro.runs.kedro_internals import catalog_of_versions
from kd_kedro.runs.mlflow_store import tracking
from kd_kedro.runs.overview import RunSummary, list_runs
from kd_kedro.runs.product_metadata import product_metadata
from kd_kedro.runs.provenance import artifact_nodes
from kd_kedro.runs.prune import (
    VERSION,
    Choice,
    artifact_folders,
    choose,
    known_runs,
    protected_runs,
    recipes,
    versions_of,
)
from kd_kedro.runs.recipe import Recipe, find_run, read_recipe
from kd_kedro.runs.registered import dataset_names, read_parameters, registered
from kd_kedro.runs.reproduce import (
    agreement,
    check_inputs,
    check_loaded,
    check_recipe,
    check_tree,
    not_comparable,
)
from kd_kedro.storage.git import CODE, changed_files, git


def list_past_runs(context: Any, last: int) -> tuple[list[RunSummary], int]:
    """Return the latest runs in a context's store, newest first, and how many there are in all."""
    client, experiment = tracking(context)
    return list_runs(
        client, experiment, context.project_path, last=last, sheet="raw_qa", verdict="verdict"
    )


def catalog_of_run(context: Any, name: str) -> tuple[Any, set[str]]:
    """Return a context's catalog with what a run made and read, as far as it is still there.

    Args:
        context: Kedro's.
        name: The name that `find_run` takes.

    Returns:
        The catalog, and the names of the datasets whose versions are the run's.
    """
    client, experiment = tracking(context)
    recipe = read_recipe(client, find_run(client, experiment, name, context.env))
    catalog = context.catalog  # made anew each time it is asked for
    versions = {
        name: version
        for name, version in made_or_read(recipe).items()
        if versions_exist(catalog, {name: version})
    }
    return catalog_of_versions(context, versions), set(versions)


def compare_past_runs(context: Any, first: str, second: str) -> dict[str, Any]:
    """Return what differs between two runs.

    Args:
        context: Context with the parameters of the verdict, by which the difference is judged.
        first: Name of one run.
        second: Name of the other.
    """
    client, experiment = tracking(context)
    runs = [find_run(client, experiment, name, context.env) for name in (first, second)]
    found = [read_recipe(client, run) for run in runs]
    recipe_of = recipes(client, experiment)

    def read(number: int, name: str) -> Any:
        run, recipe = runs[number], found[number]
        if version := recipe.loaded.get(name):  # another run made what this one read
            try:
                run = find_run(client, experiment, version)
                recipe = read_recipe(client, run)
            except ValueError:
                return f"the run that made {name} of {version}, or its recipe, is not in MLflow"
        return read_table(client, run.info.run_id, recipe, context.project_path, name)

    judging = context.catalog.load("params:evaluation.verdict")
    return {
        "schema": SCHEMA,
        "runs": [
            {"mlflow": run.info.run_id, "kedro": recipe.kedro_run_id, "status": run.info.status}
            for run, recipe in zip(runs, found, strict=True)
        ],
        **compare_recipes(found[0], found[1], recipe_of),
        **compare_outcomes(read, judging, row_counts="row_waterfall", results="validation_results"),
    }


def recipe_to_reproduce(context: Any, name: str) -> tuple[Any, Recipe]:
    """Return a run and its recipe, where it can be run again from the present tree."""
    client, experiment = tracking(context)
    run = find_run(client, experiment, name, context.env)
    recipe = read_recipe(client, run)
    check_recipe(run, recipe)
    project = context.project_path
    check_tree(recipe, git(project, "rev-parse", "HEAD"), changed_files(project, CODE))
    return run, recipe


def check_reproducible(context: Any, recipe: Recipe) -> None:
    """Check parameters, sources and loaded versions.

    Args:
        context: Context with the run's environment and parameters.
        recipe: The run's recipe.
    """
    names = recipe.command.get("pipeline_names") or ["__default__"]
    whole = sum((pipelines[name] for name in names), Pipeline([]))
    parts = {key: value for key, value in recipe.command.items() if key != "pipeline_names"}
    if "namespaces" in parts:
        parts["node_namespaces"] = parts.pop("namespaces")
    pipeline = whole.filter(**parts)  # type: ignore[arg-type]
    catalog = context.catalog
    config = context.config_loader["catalog"]
    check_inputs(recipe, pipeline, read_parameters(pipeline, catalog), catalog, config)
    check_loaded(recipe, catalog, recipes(*tracking(context)))


@contextmanager
def marked_as_repetition(run: Any, hooks: Iterable[Any]) -> Iterator[None]:
    """Tag every run that is started meanwhile with the run that it repeats, and ask nothing.

    Args:
        run: The past run.
        hooks: The session's.
    """
    tracking_hooks = [hook for hook in hooks if isinstance(hook, TrackingHooks)]
    for hook in tracking_hooks:
        hook.reproduces = run.info.run_id
    for hook in hooks:
        if isinstance(hook, GoingOnHooks):
            hook.yes = True
    try:
        yield
    finally:
        for hook in tracking_hooks:
            hook.reproduces = ""


def agreement_of(context: Any, run: Any, recipe: Recipe, timestamp: str) -> dict[str, Any]:
    """Return whether a repetition made the same.

    Args:
        context: Any of the project.
        run: The past run.
        recipe: Its recipe.
        timestamp: Kedro's, of the repetition.
    """
    client, experiment = tracking(context)
    again = find_run(client, experiment, timestamp)
    now = read_recipe(client, again)
    catalog = context.catalog  # made anew each time it is asked for
    full = artifact_nodes(registered().values(), catalog)
    products = {name: product_metadata(catalog, name) for name in full.all_outputs()}
    not_repeatable = {n: each.not_repeatable for n, each in products.items() if each.not_repeatable}
    measured = {name: each.measured_part for name, each in products.items()}
    outputs = agreement(recipe, now, not_comparable(full, not_repeatable, recipe.saved), measured)
    found = {each["outcome"] for each in outputs.values()}
    return {
        "runs": [recipe.kedro_run_id, timestamp],
        "outputs": outputs,
        "agrees": "agrees" in found and not found & {"differs", "not made"},
        "environment": {
            key: [value, now.environment.get(key)]
            for key, value in recipe.environment.items()
            if value != now.environment.get(key)
        },
    }


def choose_versions(context: Any, keep_last: int, *, forgotten: bool = False) -> list[Choice]:
    """Return which versions of a context's catalog would go.

    Args:
        context: Kedro's.
        keep_last: Finished versions of every dataset to keep, at least 1.
        forgotten: Let go also those whose run MLflow does not know.

    Raises:
        ValueError: MLflow knows the run of none: it is not the store that they belong to.
    """
    client, experiment = tracking(context)
    catalog = context.catalog
    versions = versions_of(catalog, dataset_names(catalog), artifact_folders(client, experiment))
    known = known_runs(client, experiment)
    if versions and known.isdisjoint(each.version for each in versions):
        raise ValueError(
            "MLflow knows the run of none of the versions here, so it cannot tell which are "
            "registered or tagged: bring the store back (mlflow.db, or its address in mlflow.yml)"
        )
    return choose(
        versions,
        keep_last=keep_last,
        protected=protected_runs(client, experiment),
        pinned=_pins(context.config_loader["globals"], catalog),
        recipe_of=recipes(client, experiment),
        known=None if forgotten else known,
    )


def _pins(global_values: Mapping[str, Any], catalog: DataCatalog) -> list[str]:
    pins = global_values.get("pinned_versions") or []
    if not isinstance(pins, list) or not all(isinstance(pin, str) for pin in pins):
        raise ValueError(
            f"pinned_versions in globals.yml is {pins!r}: it takes a list of dataset:version or "
            "of a run's timestamp, each in quotes"
        )
    for pin in pins:
        dataset, colon, version = pin.rpartition(":")
        if not VERSION.fullmatch(version) or (colon and dataset not in dataset_names(catalog)):
            # A slip must not let go what it was to keep.
            raise ValueError(
                f"pinned_versions in globals.yml holds {pin!r}, which is neither dataset:version "
                "nor a run's whole timestamp, as student:2026-11-21T20.07.13.571Z"
            )
    return pins
