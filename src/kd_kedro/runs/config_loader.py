"""The configuration loader of the project: parameters come checked and complete."""

from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines

from kd_kedro.runs.parameter_check import check_parameters
from kd_kedro.runs.pipeline_packages import catalog_keys, parameter_models, renamed_parameters


class CheckedConfigLoader(OmegaConfigLoader):  # type: ignore[misc]
    """Kedro's loader; its parameters are checked, and hold every default of the models.

    The check is no hook, because kedro-viz loads a project without hooks, and Kedro passes over a
    group of parameters that no file has.
    """

    def __getitem__(self, key: str) -> Any:
        """Return a kind of configuration.

        Raises:
            ValueError: An unknown or impossible parameter, named in one sentence.
        """
        if key == "parameters" and key not in self:
            pipelines.set_requested(None)  # a parameter may belong to a pipeline that is not run
            self[key] = check_parameters(
                super().__getitem__(key),
                parameter_models(),
                self,
                renamed=renamed_parameters(),
                catalog_keys=catalog_keys(),
            )
        return super().__getitem__(key)
