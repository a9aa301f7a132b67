"""Running trials: in this process, or in several side by side that share the study's database."""

import math
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kd_kedro.pipelines.tuning.params import TuningParams
from kd_kedro.training.processes import environment, exit_words

if TYPE_CHECKING:
    import optuna
    from sqlalchemy import URL

Train = Callable[[dict[str, Any], str, Path, Callable[[int, float], None]], None]


@dataclass(frozen=True)
class Work:
    """All that a worker needs, so that a new process can be given it.

    Attributes:
        address: Address of the study's database.
        name: Name of the study.
        params: The tuning parameters.
        base: Each tuned value as it is in distillation's parameters.
        work_dir: Where checkpoints of trials lie while they run.
        train: Called with a trial's values, its label, its folder and what to call after each
            evaluation with step and validation loss; may be given to another process.
    """

    address: "URL"
    name: str
    params: TuningParams
    base: dict[str, float | str]
    work_dir: Path
    train: Train

    def study(self) -> "optuna.Study":
        """Open the study."""
        from kd_kedro.pipelines.tuning.study import open_study

        return open_study(
            self.address,
            self.name,
            seed=self.params.seed,
            startup_trials=self.params.startup_trials,
            heartbeat=self.params.heartbeat,
            pruner=self.params.pruner,
        )


def run_here(work: Work, study: "optuna.Study", count: int) -> None:
    """Run so many trials in this process, one after the other, or up to one that was lost."""
    for _ in range(count):
        if not _run_one(work, study):
            return


def run_side_by_side(work: Work, study: "optuna.Study", count: int) -> None:
    """Run so many trials in new processes.

    Raises:
        ValueError: A trial failed, or a worker was killed; the others are then ended.
    """
    from tqdm import tqdm

    context = multiprocessing.get_context("spawn")
    permits, failures = context.Semaphore(count), context.SimpleQueue()
    workers = min(work.params.workers, count)
    before = _ended(study)
    processes = [
        context.Process(target=_work, args=(work, permits, failures), daemon=True)
        for _ in range(workers)
    ]
    try:
        _start(processes)
        label = f"study, {workers} workers"
        with tqdm(total=count, desc=label, unit="trial", disable=None) as bar:
            while alive := [process.sentinel for process in processes if process.is_alive()]:
                wait(alive, timeout=1.0)
                bar.update(_ended(study) - before - bar.n)
                if any(process.exitcode for process in processes):
                    break
    finally:
        for process in processes:
            process.terminate()
            process.join()
    if not failures.empty():
        raise ValueError(failures.get())
    for process in processes:
        if process.exitcode:
            raise ValueError(
                f"a worker of the study ended with {exit_words(process.exitcode)}: the trials that "
                "ended are kept, run the same command again for the others"
            )


def run_trial(work: Work, trial: "optuna.Trial") -> float:
    """Train one student and return its least validation loss.

    Raises:
        optuna.TrialPruned: It did worse than the others, or its loss is no number.
    """
    import optuna

    from kd_kedro.pipelines.tuning.study import suggest

    # Optuna's own first sign of life comes from a thread, which a kill may forestall. With this one
    # a trial that has values has given a sign, and can be counted as dead when no other follows.
    trial.storage.record_heartbeat(trial._trial_id)
    values = suggest(trial, work.params.space, work.base)
    losses: list[float] = []
    parent = multiprocessing.parent_process()

    def on_evaluation(step: int, loss: float) -> None:
        if parent is not None and not parent.is_alive():
            os._exit(1)  # nobody waits for this trial any more; the next run tries it again
        if not math.isfinite(loss):
            trial.set_user_attr("reason", f"the validation loss at step {step} is no number")
            raise optuna.TrialPruned
        losses.append(loss)
        trial.report(loss, step)
        if len(losses) > work.params.pruner.after and trial.should_prune():
            trial.set_user_attr("reason", "its loss was above the others' median")
            raise optuna.TrialPruned

    folder = work.work_dir / f"{work.name}-{trial.number}"
    if (killed := trial.user_attrs.get("again")) is not None:
        shutil.rmtree(work.work_dir / f"{work.name}-{killed}", ignore_errors=True)
    try:
        work.train(values, f"trial {trial.number}", folder, on_evaluation)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return min(losses)


def _run_one(work: Work, study: "optuna.Study") -> bool:
    lost = False

    def objective(trial: "optuna.Trial") -> float:
        nonlocal lost
        try:
            return run_trial(work, trial)
        finally:
            lost = study.get_trials(deepcopy=False)[trial.number].state.name == "FAIL"

    try:
        study.optimize(objective, n_trials=1)
    except (ValueError, RuntimeError):
        # On a machine so busy that no sign of life came through, others counted the trial as dead
        # while it ran. It is tried again like one that was.
        if not lost:
            raise
    return not lost


def _start(processes: Sequence[Any]) -> None:
    # tqdm reads it when it is imported. Bars of several processes would overwrite each other.
    with environment("TQDM_DISABLE", "1"):
        for process in processes:
            process.start()


def _work(work: Work, permits: Any, failures: Any) -> None:
    from kd_kedro.pipelines.tuning.study import storage_errors

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    try:
        with storage_errors(work.address):
            study = work.study()
            while permits.acquire(block=False):
                run_here(work, study, 1)
    except (ValueError, OSError) as error:
        failures.put(" ".join(str(error).split()))
        raise SystemExit(1) from None


def _ended(study: "optuna.Study") -> int:
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
