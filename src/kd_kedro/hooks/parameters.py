"""Hooks that check parameters and models before the first node runs."""

from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from kd_kedro.pipelines.distillation.groups import DistillationParams
from kd_kedro.runs.parameter_check import check_parameters
from kd_kedro.runs.registered import registered


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
        from kd_kedro.pipelines.distillation.preflight import check_generator, check_models

        params = DistillationParams.model_validate(catalog.load("parameters")["distillation"])
        check_models(params)
        if params.sequence_level.source == "generator":
            check_generator(catalog.load("text_generator"))
