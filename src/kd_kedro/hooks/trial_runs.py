"""Trials of a study as child runs in MLflow; `hooks/mlflow.py` calls it."""

import math
from collections.abc import Mapping
from typing import Any

STATUS = {"complete": "FINISHED", "pruned": "KILLED", "fail": "FAILED"}


def log_trials(client: Any, parent: str, record: Mapping[str, Any]) -> None:
    """Log each ended trial once, as a child of the run that first told of it.

    Args:
        client: An `MlflowClient`.
        parent: Id of the run of the pipeline.
        record: `tuning_record`, or that of the baseline; where there was no study, it is empty.
    """
    if not record:
        return
    experiment = client.get_run(parent).info.experiment_id
    known = _known(client, experiment, record["study"])
    for trial in record["trials"]:
        if trial["state"] in STATUS and trial["number"] not in known:
            _log_trial(client, experiment, parent, record, trial)


def _known(client: Any, experiment: str, study: str) -> set[int]:
    found, token = set(), None
    while True:
        page = client.search_runs(
            [experiment], f"tags.study = '{study}'", max_results=1000, page_token=token
        )
        found |= {int(run.data.tags["trial"]) for run in page}
        token = page.token
        if not token:
            return found


def _log_trial(
    client: Any, experiment: str, parent: str, record: Mapping[str, Any], trial: Mapping[str, Any]
) -> None:
    from mlflow.entities import Metric, Param

    started = round(1000 * (trial["started"] or 0))
    ended = started + round(1000 * (trial["seconds"] or 0))
    tags = {
        "mlflow.parentRunId": parent,
        "study": record["study"],
        "trained": record["trained"],
        "trial": str(trial["number"]),
        "state": trial["state"],
        "attempt": str(trial["attempt"]),
        **({"teacher_targets": record["capture"]} if record["capture"] else {}),
        **({"reason": trial["reason"]} if trial["reason"] else {}),
    }
    name = f"{record['trained']} trial {trial['number']}"
    run = client.create_run(experiment, start_time=started, tags=tags, run_name=name)
    metrics = [
        Metric("validation_loss", loss, ended, int(step))
        for step, loss in trial["losses"].items()
        if math.isfinite(loss)
    ]
    if trial["value"] is not None:
        metrics.append(Metric("best_validation_loss", trial["value"], ended, 0))
    client.log_batch(
        run.info.run_id,
        metrics=metrics,
        params=[Param(name, str(value)) for name, value in trial["values"].items()],
    )
    client.set_terminated(run.info.run_id, STATUS[trial["state"]], ended)
