"""The hook that remembers what a run saved, for those who tell of its end."""

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog


class OutcomeHooks:
    """Remember what the latest run saved.

    Attributes:
        catalog: The run's catalog; None before the first run.
        env: The environment it was made in; '' for the default one.
        saved: Names of the datasets it saved.
    """

    def __init__(self) -> None:
        self.catalog: DataCatalog | None = None
        self.env = ""
        self.saved: set[str] = set()

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], catalog: DataCatalog) -> None:
        """Forget the run before."""
        self.catalog, self.env, self.saved = catalog, run_params["env"] or "", set()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Note a dataset."""
        self.saved.add(dataset_name)
