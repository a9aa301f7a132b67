"""The project's store of runs in MLflow."""

import os
from typing import Any


def tracking(context: Any) -> tuple[Any, str]:
    """Return the client of the project's MLflow and the id of its experiment."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    client = context.mlflow.server._mlflow_client
    experiment = client.get_experiment_by_name(context.mlflow.tracking.experiment.name)
    return client, experiment.experiment_id
