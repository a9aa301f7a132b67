"""The registered pipelines: what they read, and whether that is up to date."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from kd_kedro.runs.parameter_check import flatten, operational_keys
from kd_kedro.runs.pipeline_packages import parameter_models
from kd_kedro.runs.provenance import Provenance, artifact_nodes, check_fresh, source_hashes


def registered() -> dict[str, Pipeline]:
    """Return every registered pipeline but `__default__`, by name."""
    return {name: pipelines[name] for name in pipelines if name != "__default__"}


def dataset_names(catalog: DataCatalog) -> set[str]:
    """Return the names of all datasets: entries of the catalog, and what its patterns hold for.

    A pattern such as `{stage}_events` is no dataset; the registered pipelines say which there are.
    """
    made = {name for part in registered().values() for name in part.datasets()}
    return {name for name in {*catalog.keys(), *made} if not is_parameter(name)}


def makers() -> dict[str, str]:
    """Return by dataset the name of the pipeline that makes it."""
    return {output: name for name, part in registered().items() for output in part.all_outputs()}


def is_parameter(name: str) -> bool:
    """Return whether a node's input is a parameter."""
    return name == "parameters" or name.startswith("params:")


def read_parameters(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, Any]:
    """Return every parameter that the nodes read, flat, by its dotted key."""
    found: dict[str, Any] = {}
    for name in sorted(pipeline.inputs()):
        if name.startswith("params:"):
            value = catalog.load(name)
            plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            found.update(flatten({name[7:]: plain}))
    return found


def operational_parameters() -> frozenset[str]:
    """Return the keys of the parameters that change nothing in what comes out."""
    return operational_keys(parameter_models())


def check_inputs(
    needed: Set[str],
    catalog: DataCatalog,
    config: Mapping[str, Any],
    pinned: Iterable[str] = (),
    env: str | None = None,
) -> tuple[dict[str, str], dict[str, Provenance]]:
    """Check that what is about to be read was made from the present inputs.

    Args:
        needed: Names of datasets and parameters.
        catalog: The session's catalog.
        config: Its configuration.
        pinned: Names given to `--load-versions`.
        env: The environment, which what the user is told to run needs too.

    Returns:
        Hash by name of every source, and what `check_fresh` says.
    """
    made_by = makers()
    full = artifact_nodes(registered().values(), catalog)
    leaves = (full.inputs() | needed) - full.all_outputs()
    sources = source_hashes(leaves, catalog, config)
    operational = operational_parameters()
    recorded = check_fresh(needed, full, catalog, sources, pinned, made_by, operational, env)
    return sources, recorded
