"""The hook that lets pipelines refuse, before the first node, a run that would fail later."""

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
        for check in checks_before_run():
            check(pipeline.inputs(), catalog.load, partial(parameter_origin, loader=self._loader))
