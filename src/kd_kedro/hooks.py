"""Kedro hooks: parameters checked, nothing stale, progress shown; tracking.py has MLflow's."""

import logging
import shutil
from collections.abc import Iterable, Mapping, Set
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel

from kd_kedro.freshness import (
    FILE_NAME,
    Provenance,
    artifact_nodes,
    check_fresh,
    expected_provenance,
    source_hashes,
    version_folder,
    write_provenance,
)
from kd_kedro.parameters import check_parameters, flatten
from kd_kedro.pipelines.distillation.groups import DistillationParams

logger = logging.getLogger(__name__)


def registered() -> dict[str, Pipeline]:
    """Return every registered pipeline but `__default__`, by name."""
    return {name: pipelines[name] for name in pipelines if name != "__default__"}


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


def check_inputs(
    needed: Set[str],
    catalog: DataCatalog,
    config: Mapping[str, Any],
    pinned: Iterable[str] = (),
) -> tuple[dict[str, str], dict[str, Provenance]]:
    """Check that what is about to be read was made from the present inputs.

    Args:
        needed: Names of datasets and parameters.
        catalog: The session's catalog.
        config: Its configuration.
        pinned: Names given to `--load-versions`.

    Returns:
        Hash by name of every source, and what `check_fresh` says.
    """
    made_by = {output: name for name, part in registered().items() for output in part.all_outputs()}
    full = artifact_nodes(registered().values(), catalog)
    leaves = (full.inputs() | needed) - full.all_outputs()
    sources = source_hashes(leaves, catalog, config)
    return sources, check_fresh(needed, full, catalog, sources, pinned, made_by)


class ParameterHooks:
    """Check every parameter before the first node runs."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Refuse an unknown or impossible parameter in one sentence."""
        pipelines.set_requested(None)
        assert isinstance(context.config_loader, OmegaConfigLoader)
        check_parameters(context.config_loader, registered(), {"distillation": DistillationParams})


class ModelHooks:
    """Check the models that students are made of before the first node runs."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Refuse, in a run that trains students, one that cannot be trained."""
        if "params:distillation.student" not in pipeline.inputs():
            return
        from kd_kedro.pipelines.distillation.checks import check_generator, check_models

        params = DistillationParams.model_validate(catalog.load("parameters")["distillation"])
        check_models(params)
        if params.sequence_level.source == "generator":
            check_generator(catalog.load("text_generator"))


class FreshnessHooks:
    """Write what every artifact was made from; refuse one that was made from something else."""

    def __init__(self) -> None:
        self._config: Mapping[str, Any] = {}
        self._sources: dict[str, str] = {}
        self._recorded: dict[str, Provenance] = {}
        self._pipeline = Pipeline([])
        self._catalog: DataCatalog | None = None

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog, conf_catalog: dict[str, Any]) -> None:
        """Keep the catalog and its configuration."""
        self._catalog, self._config = catalog, conf_catalog

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Refuse to read anything stale, before anything is written."""
        self._sources, self._recorded = check_inputs(
            pipeline.inputs(), catalog, self._config, run_params["load_versions"] or {}
        )
        self._pipeline = pipeline

    @hook_impl(tryfirst=True)
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Write the provenance of a versioned artifact beside it."""
        assert self._catalog is not None
        folder = version_folder(self._catalog, dataset_name, "save")
        if folder is not None:
            provenance = expected_provenance(
                dataset_name, self._pipeline, self._catalog, self._sources, self._recorded
            )
            write_provenance(folder, provenance)

    @hook_impl
    def on_pipeline_error(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Remove the versions of this run that were begun and not finished."""
        self._remove_unfinished(pipeline, catalog)

    def on_interrupt(self) -> None:
        """Do the same where somebody ended the run: Kedro calls no hook then."""
        if self._catalog is not None:
            self._remove_unfinished(self._pipeline, self._catalog)

    @staticmethod
    def _remove_unfinished(pipeline: Pipeline, catalog: DataCatalog) -> None:
        for name in pipeline.all_outputs():
            folder = version_folder(catalog, name, "save")
            if folder is not None and folder.is_dir() and not (folder / FILE_NAME).is_file():
                shutil.rmtree(folder)


class ProgressHooks:
    """Say which node runs, out of how many."""

    def __init__(self) -> None:
        self._total = self._done = 0

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Count the nodes."""
        self._total, self._done = len(pipeline.nodes), 0

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Name the node."""
        self._done += 1
        logger.info("[%2d/%d] %s", self._done, self._total, node.short_name)
