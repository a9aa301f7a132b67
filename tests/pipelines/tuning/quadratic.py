"""A study whose trials take no time: what is tested is the study, not the student."""

import math
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import optuna
from sqlalchemy import make_url

from kd_kedro.pipelines.tuning.params import TuningParams
from kd_kedro.pipelines.tuning.study import complete_study, records
from kd_kedro.pipelines.tuning.workers import Work, run_here, run_side_by_side

CONF = Path(__file__).resolve().parents[3] / "conf"
BASE = {
    "alpha": 0.5,
    "beta": 0.5,
    "temperature": 1.0,
    "learning_rate": 1e-3,
    "divergence": "forward_kl",
}
STEPS = (10, 20, 30)


def params(**changed):
    """Return the parameters of conf/base with others; `space` and `pruner` are merged."""
    values = TuningParams().model_dump()
    values |= {"startup_trials": 3, "heartbeat": 1}
    for key, value in changed.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    return TuningParams.model_validate(values)


@dataclass
class Quadratic:
    """Least near alpha 0.3 and learning rate 3e-3; may do something else in one of its trials."""

    folder: Path | None = None
    trial: str = ""
    action: str = ""

    def __call__(self, values, name, work_dir, on_evaluation):
        work_dir.mkdir(parents=True)
        if self.folder is not None:
            (self.folder / f"{os.getpid()}-{name}").touch()
        for step in STEPS:
            if name == self.trial and step == STEPS[1]:
                self._act()
            loss = (values["alpha"] - 0.3) ** 2 + math.log(values["learning_rate"] / 3e-3) ** 2
            on_evaluation(step, math.nan if self._diverges(name, step) else loss + 1 / step)

    def _act(self):
        if self.action == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.action == "raise":
            raise OSError("the disk is full")
        if self.action == "be counted as dead":
            self._count_as_dead()
        if self.action == "sleep":
            time.sleep(60)

    def _count_as_dead(self):
        storage = f"sqlite:///{self.folder.parent}/study.sqlite"
        others = optuna.load_study(study_name="quadratic", storage=storage)
        others.tell(int(self.trial.split()[-1]), state=optuna.trial.TrialState.FAIL)

    def _diverges(self, name, step):
        return name == self.trial and step == STEPS[1] and self.action == "diverge"


def work(address, tuning, train=None, name="quadratic"):
    """Return the work of a study in a database."""
    url = make_url(str(address) if "://" in str(address) else f"sqlite:///{address}")
    folder = Path(str(address)).parent if "://" not in str(address) else Path("/nowhere")
    return Work(url, name, tuning, BASE, folder / "work", train or Quadratic())


def complete(todo):
    """Run what the study lacks, and return its trials."""
    study = todo.study()
    run = run_here if todo.params.workers == 1 else run_side_by_side
    complete_study(
        study, todo.params.trials, todo.params.heartbeat, lambda count: run(todo, study, count)
    )
    return records(study)


def outcomes(trials):
    """Return what must repeat of the trials that ended: all but times and numbers."""
    keys = ("state", "value", "values", "losses", "pruned_at")
    return [[t[key] for key in keys] for t in trials if t["state"] != "fail"]
