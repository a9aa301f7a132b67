"""Kedro hooks: parameters checked, nothing stale, progress shown, everything tracked in MLflow."""

import hashlib
import json
import logging
import math
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
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
from kd_kedro.run_record import RECIPE, make_recipe, recipe_text
from kd_kedro.trial_runs import log_trials

logger = logging.getLogger(__name__)

# Tables that comparing two runs reads: they outlive a pruned version.
KEPT_TABLES = {"validation_results", "row_waterfall"}


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


class TrackingHooks(MlflowHook):  # type: ignore[misc]
    """kedro-mlflow's hook, with what it leaves out.

    It adds: pydantic parameters flattened, `--params` and the git commit as tags, every table as
    a dataset input with its Kedro version, histories as metrics by step, the verdict's figures as
    metrics, models and reports as artifacts, and `recipe.json`: all that made the run.
    """

    _tables: set[str]
    _loaded: dict[str, str]
    _saved: dict[str, Path]
    _code: dict[str, Any]

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Start the run, and say which code and which command it is."""
        super().before_pipeline_run(run_params, pipeline, catalog)
        self._catalog, self._tables, self._loaded, self._saved = catalog, set(), {}, {}
        if not self._is_mlflow_enabled:
            return
        project = Path(run_params["project_path"])
        runtime = dict(flatten(run_params.get("runtime_params") or {}))
        commit, changes = git(project, "rev-parse", "HEAD"), git(project, "status", "--porcelain")
        self._code = {"commit": commit, "dirty": bool(changes)}
        tags = {
            "kedro_run_id": run_params["run_id"],
            "kedro_params": ",".join(f"{key}={value}" for key, value in runtime.items()),
            "mlflow.source.git.commit": commit,
            "git_dirty": str(bool(changes)).lower(),
        }
        for key, value in tags.items():
            if value:
                self._client.set_tag(self.run_id, key, value)

    @hook_impl
    def before_node_run(
        self, node: Node, catalog: DataCatalog, inputs: dict[str, Any], is_async: bool
    ) -> None:
        """Log the node's parameters, one MLflow parameter a leaf."""
        plain = {
            name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for name, value in inputs.items()
            if name.startswith("params:")
        }
        super().before_node_run(node, catalog, plain, is_async)

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        """Log a table the run read from an earlier one; note which version of what was read."""
        self._log_table(dataset_name, data, "load")
        if dataset_name not in self._saved:
            folder = version_folder(self._catalog, dataset_name, "load")
            if folder is not None:
                self._loaded[dataset_name] = folder.name

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Log a product: table, history, verdict, model or report."""
        if not self._is_mlflow_enabled:
            return
        folder = version_folder(self._catalog, dataset_name, "save")
        if folder is not None:
            self._saved[dataset_name] = folder
        if isinstance(data, pd.DataFrame):
            self._log_table(dataset_name, data, "save")
            if dataset_name in KEPT_TABLES:
                self._log_artifact(dataset_name)
        elif dataset_name.endswith("_history"):
            self._log_history(dataset_name.removesuffix("_history"), data)
        else:
            self._log_artifact(dataset_name)
            if dataset_name == "tuning_record":
                log_trials(self._client, self.run_id, data)
            if dataset_name in {"verdict", "compression", "best_hyperparameters"}:
                self._log_figures(dataset_name, data)

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Write the recipe and end the run."""
        self._log_recipe(run_params, pipeline)
        super().after_pipeline_run(run_params, pipeline, catalog)

    @hook_impl
    def on_pipeline_error(
        self,
        error: Exception,
        run_params: dict[str, Any],
        pipeline: Pipeline,
        catalog: DataCatalog,
    ) -> None:
        """Write the recipe of a run that failed, where that can be done, and end the run."""
        try:
            self._log_recipe(run_params, pipeline)
        except Exception as further:  # must not hide what the run failed of
            logging.getLogger("kd_kedro.tracking").error("no recipe was written: %s", further)
        super().on_pipeline_error(error, run_params, pipeline, catalog)

    @property
    def _client(self) -> Any:
        return self.mlflow_config.server._mlflow_client

    def _log_table(self, name: str, data: Any, mode: str) -> None:
        if (
            not self._is_mlflow_enabled
            or name in self._tables
            or not isinstance(data, pd.DataFrame)
        ):
            return
        from mlflow.data.pandas_dataset import from_pandas
        from mlflow.entities import DatasetInput, InputTag

        self._tables.add(name)
        folder = version_folder(self._catalog, name, mode)
        raw_file = getattr(self._catalog.get(name), "_filepath", None)
        source = str(folder or raw_file or "")
        # MLflow's own digest fails on an empty table of pandas 3 and reads but the first rows.
        hashes = pd.util.hash_pandas_object(data, index=False).to_numpy()
        digest = hashlib.sha256(hashes.tobytes()).hexdigest()[:16]
        table = from_pandas(data, source=source, name=name, digest=digest)
        tags = [
            InputTag("mlflow.data.context", "input" if mode == "load" else "output"),
            InputTag("kedro_version", folder.name if folder else "not versioned"),
        ]
        entity = DatasetInput(table._to_mlflow_entity(), tags=tags)
        self._client.log_inputs(self.run_id, [entity])

    def _log_history(self, name: str, history: list[dict[str, Any]]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(f"{name}.{key}", float(value), 0, int(entry["step"]))
            for entry in history
            for key, value in entry.items()
            if key != "step" and isinstance(value, int | float) and not math.isnan(value)
        ]
        for start in range(0, len(metrics), 1000):
            self._client.log_batch(self.run_id, metrics=metrics[start : start + 1000])

    def _log_figures(self, name: str, data: Mapping[str, Any]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(f"{name}.{key.removeprefix('metrics.')}", float(value), 0, 0)
            for key, value in flatten(json.loads(json.dumps(data)))
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        self._client.log_batch(self.run_id, metrics=metrics)

    def _log_recipe(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        if not self._is_mlflow_enabled:
            return
        recipe = make_recipe(
            run_params,
            **self._code,
            inputs=[name for name in pipeline.inputs() if not is_parameter(name)],
            parameters=read_parameters(pipeline, self._catalog),
            loaded=self._loaded,
            saved=self._saved,
        )
        self._client.log_text(self.run_id, recipe_text(recipe), RECIPE)

    def _log_artifact(self, name: str) -> None:
        folder = version_folder(self._catalog, name, "save")
        if folder is not None:
            self._client.log_artifacts(self.run_id, str(folder), name)


def git(project: Path, *words: str) -> str:
    """Return what git says, or nothing where there is no git or no repository."""
    command = ["git", "-C", str(project), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        print("git did not answer: the run is tracked without its commit", file=sys.stderr)
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
