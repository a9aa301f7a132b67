"""The hook that tells MLflow of a run: parameters, tables, numbers, figures, models, its recipe."""

import atexit
import hashlib
import json
import logging
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from pydantic_core import to_jsonable_python

from kd_kedro.hooks.run_lock import end_lost_runs, hold, let_go
from kd_kedro.hooks.run_summary import NOTE, VERDICT, describe, headlines, run_name
from kd_kedro.hooks.trial_runs import log_trials
from kd_kedro.metrics.report.evidence import numbers
from kd_kedro.runs.kedro_internals import filepath
from kd_kedro.runs.mlflow_store import (
    dataset_entity,
    follow_project,
    is_tracked,
    make_store,
    tracking_client,
)
from kd_kedro.runs.parameter_check import flatten
from kd_kedro.runs.product_metadata import product_metadata
from kd_kedro.runs.provenance import FILE_NAME, version_folder
from kd_kedro.runs.recipe import RECIPE, REPRODUCES, SHEET, make_recipe, recipe_text, relative
from kd_kedro.runs.registered import is_parameter, read_parameters
from kd_kedro.storage.git import CODE, changed_files, git

ROWS = "raw_qa"
# Every number of the evidence, of which the metrics are a few.
NUMBERS = "tables/numbers.json"


class TrackingHooks(MlflowHook):  # type: ignore[misc]
    """kedro-mlflow's hook, with what it leaves out.

    It adds: a name that tells runs apart, pydantic parameters flattened, `--params` and the git
    commit as tags, every table as a dataset input with its Kedro version, the verdict as tag,
    description and metrics, histories as metrics by step, all other numbers as one table, plots as
    figures, models and reports as artifacts, and `recipe.json`: all that made the run. What a
    product is (a verdict, a history, numbers, a table to keep) its catalog entry says:
    `metadata.runs`. A run that did not come to its end is told as failed or killed.

    Attributes:
        reproduces: MLflow's id of the run that the next ones repeat; '' for none.
    """

    _tables: set[str]
    _loaded: dict[str, str]
    _saved: dict[str, Path]
    _code: dict[str, Any]
    _conf_source: str = ""
    reproduces: str = ""
    _going_on: tuple[dict[str, Any], Pipeline] | None = None

    def __init__(self) -> None:
        super().__init__()
        self._lock: FileLock | None = None
        # MLflow's own would call a run finished that nobody ended; the later comes first.
        atexit.register(self._end_as, "FAILED")

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Set MLflow up, mend what a move or a kill left wrong, note where the configuration is."""
        self._end_as("FAILED")
        with suppress(MissingConfigException):
            make_store(context.config_loader["mlflow"])
        super().after_context_created(context)
        follow_project(self.mlflow_config)
        end_lost_runs(self._client, context.project_path)
        self._conf_source = str(getattr(context.config_loader, "conf_source", ""))

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Start the run, and say which code and which command it is."""
        self._catalog, self._tables, self._loaded, self._saved = catalog, set(), {}, {}
        self._project = Path(run_params["project_path"])
        named = self.mlflow_config.tracking.run
        sheet = _sheet(catalog)
        named.name = named.name or run_name(run_params, sheet.stem)
        self._going_on = (run_params, pipeline)
        try:
            super().before_pipeline_run(run_params, pipeline, catalog)
            if is_tracked(self):
                self._lock = hold(self._project, self.run_id)
                self._tag(run_params, sheet.name)
        except Exception:
            self._end_as("FAILED")
            raise

    @hook_impl
    def before_node_run(
        self, node: Node, catalog: DataCatalog, inputs: dict[str, Any], is_async: bool
    ) -> None:
        """Log the node's parameters, one MLflow parameter a leaf."""
        # A value and the group that it is in must read alike: a tuple of a group is a list in JSON.
        plain = {
            name: to_jsonable_python(value)
            for name, value in inputs.items()
            if name.startswith("params:")
        }
        super().before_node_run(node, catalog, plain, is_async)
        if self._lock is not None:
            with suppress(FileNotFoundError):  # somebody has removed the folder
                os.utime(self._lock.lock_file)  # a sign of life

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
        """Log a product: table, history, numbers, model or report."""
        if not is_tracked(self):
            return
        folder = version_folder(self._catalog, dataset_name, "save")
        if folder is not None:
            self._saved[dataset_name] = folder
        product = product_metadata(self._catalog, dataset_name)
        if isinstance(data, pd.DataFrame):
            self._log_table(dataset_name, data, "save")
            if product.kept:
                self._log_artifact(dataset_name)
            if product.shown and len(data):
                self._client.log_table(self.run_id, data, f"tables/{dataset_name}.json")
        elif product.history:
            self._log_history(dataset_name.removesuffix("_history"), data)
        else:
            self._log_artifact(dataset_name)
            if product.trials:
                log_trials(self._client, self.run_id, data)
            if product.metrics is not None:
                self._log_metrics(product.metrics, numbers(json.loads(json.dumps(data))))
            if product.verdict:
                self._log_verdict(json.loads(json.dumps(data)))
            if product.numbers:
                self._log_numbers(json.loads(json.dumps(data)))
            if hasattr(data, "to_plotly_json"):
                self._client.log_figure(self.run_id, data, f"figures/{dataset_name}.html")

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Write the recipe and end the run."""
        self._log_recipe(run_params, pipeline)
        super().after_pipeline_run(run_params, pipeline, catalog)
        self._forget()

    @hook_impl
    def on_pipeline_error(
        self,
        error: Exception,
        run_params: dict[str, Any],
        pipeline: Pipeline,
        catalog: DataCatalog,
    ) -> None:
        """Write the recipe of a run that failed, where that can be done, and end the run."""
        self._try_to_log_recipe(run_params, pipeline)
        super().on_pipeline_error(error, run_params, pipeline, catalog)
        self._forget()

    def on_interrupt(self) -> None:
        """End the run that somebody ended as killed, with its recipe: Kedro calls no hook then."""
        going_on = self._going_on
        # First: where the user does not wait for the recipe, MLflow would call it finished.
        self._end_as("KILLED")
        if going_on is not None:
            self._try_to_log_recipe(*going_on)

    def _end_as(self, status: str) -> None:
        """End the run that goes on, if one does: Kedro tells hooks of errors in nodes alone."""
        import mlflow

        if self._going_on is not None and is_tracked(self) and mlflow.active_run():
            mlflow.end_run(status)
        self._forget()

    def _forget(self) -> None:
        self._going_on = None
        if self._lock is not None:
            let_go(self._lock)
            self._lock = None

    @property
    def _client(self) -> Any:
        return tracking_client(self.mlflow_config)

    def _tag(self, run_params: Mapping[str, Any], sheet: str) -> None:
        runtime = dict(flatten(run_params.get("runtime_params") or {}))
        commit = git(self._project, "rev-parse", "HEAD")
        dirty = bool(commit and changed_files(self._project, CODE))
        self._code = {"commit": commit, "dirty": dirty, "conf_source": self._conf_source}
        tags = {
            "kedro_run_id": run_params["run_id"],
            SHEET: sheet,
            "kedro_params": ",".join(f"{key}={value}" for key, value in runtime.items()),
            "mlflow.source.git.commit": commit,
            "git_dirty": str(dirty).lower(),
            REPRODUCES: self.reproduces,
        }
        for key, value in tags.items():
            if value:
                self._client.set_tag(self.run_id, key, value)

    def _log_table(self, name: str, data: Any, mode: str) -> None:
        if not is_tracked(self) or name in self._tables or not isinstance(data, pd.DataFrame):
            return
        from mlflow.data.pandas_dataset import from_pandas
        from mlflow.entities import DatasetInput, InputTag

        self._tables.add(name)
        folder = version_folder(self._catalog, name, mode)
        path = folder or filepath(self._catalog.get(name)) or Path(name)
        # Of an optional sheet that is not given the path is the project's own.
        source = name if path == self._project else relative(path, self._project)
        # MLflow's own digest fails on an empty table of pandas 3 and reads but the first rows.
        hashes = pd.util.hash_pandas_object(data, index=False).to_numpy()
        digest = hashlib.sha256(hashes.tobytes()).hexdigest()[:16]
        table = from_pandas(data, source=source, name=name, digest=digest)
        tags = [
            InputTag("mlflow.data.context", "input" if mode == "load" else "output"),
            InputTag("kedro_version", folder.name if folder else "not versioned"),
        ]
        entity = DatasetInput(dataset_entity(table), tags=tags)
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

    def _log_metrics(self, prefix: str, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        metrics = [Metric(f"{prefix}{key}", value, 0, 0) for key, value in values.items()]
        self._client.log_batch(self.run_id, metrics=metrics)

    def _log_verdict(self, verdict: Mapping[str, Any]) -> None:
        assert self._going_on is not None
        self._log_metrics("", headlines(verdict))
        timestamp, env = (self._going_on[0][key] for key in ("run_id", "env"))
        self._client.set_tag(self.run_id, VERDICT, verdict["overall"])
        self._client.set_tag(self.run_id, NOTE, describe(verdict, timestamp, env))

    def _log_numbers(self, evidence: Mapping[str, Any]) -> None:
        # As text: MLflow writes tables with ten digits.
        rows = [(key, repr(value)) for key, value in numbers(evidence).items()]
        self._client.log_table(self.run_id, pd.DataFrame(rows, columns=["key", "value"]), NUMBERS)

    def _try_to_log_recipe(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        try:
            self._log_recipe(run_params, pipeline)
        except Exception as further:  # must not hide what the run failed of
            logging.getLogger("kd_kedro.hooks.mlflow").error("no recipe was written: %s", further)

    def _log_recipe(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        if not is_tracked(self):
            return
        recipe = make_recipe(
            run_params,
            **self._code,
            inputs=[name for name in pipeline.inputs() if not is_parameter(name)],
            parameters=read_parameters(pipeline, self._catalog),
            loaded=self._loaded,
            saved=self._saved,
            measured_parts={
                name: product_metadata(self._catalog, name).measured_part for name in self._saved
            },
        )
        self._client.log_text(self.run_id, recipe_text(recipe), RECIPE)

    def _log_artifact(self, name: str) -> None:
        folder = version_folder(self._catalog, name, "save")
        # A product of no bytes says that there is none, as where no variant was accepted.
        if folder is not None and any(_bytes(path) for path in folder.rglob("*")):
            self._client.log_artifacts(self.run_id, str(folder), name)


def _sheet(catalog: DataCatalog) -> Path:
    """Return the sheet's file, a path without a name where there is none."""
    return (filepath(catalog.get(ROWS)) if ROWS in catalog else None) or Path()


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() and path.name != FILE_NAME else 0
