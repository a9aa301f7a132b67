"""The hook that refuses what is stale, and records what every artifact was made from."""

import shutil
from collections.abc import Mapping
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from kd_kedro.runs.provenance import (
    FILE_NAME,
    Provenance,
    check_readable,
    expected_provenance,
    version_folder,
    write_provenance,
)
from kd_kedro.runs.registered import check_inputs, makers, operational_parameters


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
            pipeline.inputs(),
            catalog,
            self._config,
            run_params["load_versions"] or {},
            run_params["env"],
        )
        check_readable(self._recorded, catalog, makers(), run_params["env"])
        self._pipeline = pipeline

    @hook_impl(tryfirst=True)
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Write the provenance of a versioned artifact beside it."""
        assert self._catalog is not None
        folder = version_folder(self._catalog, dataset_name, "save")
        if folder is not None:
            provenance = expected_provenance(
                dataset_name,
                self._pipeline,
                self._catalog,
                self._sources,
                self._recorded,
                operational_parameters(),
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
