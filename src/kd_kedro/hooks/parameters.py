"""The hook that checks every parameter and fills in what the files leave to the models."""

from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines

from kd_kedro.runs.parameter_check import check_parameters
from kd_kedro.runs.pipeline_packages import catalog_keys, parameter_models, renamed_parameters


class ParameterHooks:
    """Check every parameter before the first node runs; what is not set has its default."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Refuse an unknown or impossible parameter in one sentence, and give Kedro all values."""
        pipelines.set_requested(None)
        loader = context.config_loader
        assert isinstance(loader, OmegaConfigLoader)
        # Kedro passes over a group that no file has: its defaults must be there like other values.
        loader["parameters"] = check_parameters(
            loader, parameter_models(), renamed=renamed_parameters(), catalog_keys=catalog_keys()
        )
