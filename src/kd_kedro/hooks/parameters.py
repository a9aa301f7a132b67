"""The hook that has parameters checked before any other hook acts on them."""

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl


class ParameterHooks:
    """Refuse bad parameters before a run leaves anything, in MLflow or elsewhere."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Read the parameters, which `kd_kedro.runs.config_loader` checks.

        Raises:
            ValueError: An unknown or impossible parameter, named in one sentence.
        """
        context.config_loader["parameters"]
