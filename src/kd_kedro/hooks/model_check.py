"""The hook that lets pipelines refuse, before the first node, a run that would fail later."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from kd_kedro.runs.environments import parameter_origin
from kd_kedro.runs.pipeline_packages import checks_before_run


class PreflightHooks:
    """Do what the registered pipelines ask to be checked before a run."""

    _loader: Any

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep what knows where parameters were set."""
        self._loader = context.config_loader

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Refuse a run that would fail later."""
        check_needs(pipeline.datasets(), catalog)
        for check in checks_before_run():
            check(pipeline.inputs(), catalog.load, partial(parameter_origin, loader=self._loader))


def check_needs(names: Iterable[str], catalog: DataCatalog) -> None:
    """Refuse entries of the catalog beside other parameters than they need (`NEEDS`).

    Raises:
        ValueError: The message names entry and parameter.
    """
    for name in sorted(names):
        for key, value in getattr(catalog.get(name), "NEEDS", {}).items():
            present: Any = catalog.load("parameters")
            for part in key.split("."):
                present = present[part] if isinstance(present, Mapping) else getattr(present, part)
            if present != value:
                raise ValueError(
                    f"{name} in the catalog is a {type(catalog.get(name)).__name__}, which needs "
                    f"{key}={str(value).lower()}, but that is {str(present).lower()}: set it in "
                    "the recipe, or take another entry"
                )
