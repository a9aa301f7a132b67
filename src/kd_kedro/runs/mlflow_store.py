"""The project's store of runs in MLflow, and what of MLflow and kedro-mlflow has no public name.

`tests/runs/test_private_interfaces.py` fails where an upgrade of one breaks what is used here.
"""

import os
from typing import Any


def tracking(context: Any) -> tuple[Any, str]:
    """Return the client of the project's MLflow and the id of its experiment."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    client = tracking_client(context.mlflow)
    experiment = client.get_experiment_by_name(context.mlflow.tracking.experiment.name)
    return client, experiment.experiment_id


def tracking_client(config: Any) -> Any:
    """Return the client of a `KedroMlflowConfig`."""
    return config.server._mlflow_client


def is_tracked(hook: Any) -> bool:
    """Return whether a `MlflowHook` records the run that goes on."""
    return bool(hook._is_mlflow_enabled)


def dataset_entity(dataset: Any) -> Any:
    """Return a dataset of `mlflow.data` as the entity that `MlflowClient.log_inputs` takes."""
    return dataset._to_mlflow_entity()
