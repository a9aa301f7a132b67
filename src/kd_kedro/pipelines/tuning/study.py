"""A study in a database: trials that are missing are run, those that died are tried again.

Optuna keeps the trials, draws their values and ends the hopeless ones; a trial that is killed
leaves no sign of life (Optuna's heartbeat) and is then counted as failed.
"""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from kd_kedro.pipelines.tuning.params import TARGETS, NumberParams, PrunerParams, SpaceParams

if TYPE_CHECKING:
    from sqlalchemy import URL

logger = logging.getLogger(__name__)

ATTEMPTS = 3  # a trial that died so often is not tried again
SILENT = 3  # heartbeats after which a running trial counts as dead
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


class SeededTPE(BaseSampler):  # type: ignore[misc]
    """TPE whose draws depend on the seed, the trial's place and the trials before it alone.

    Optuna's own sampler with a seed starts its random numbers anew in every process, so that a
    study that goes on after a kill would draw the first trials' numbers again.
    """

    def __init__(self, seed: int, startup_trials: int) -> None:
        self._seed = seed
        self._startup_trials = startup_trials
        self._tpe = TPESampler(n_startup_trials=startup_trials, seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Seed the draws of this trial."""
        earlier = [t for t in study.get_trials(deepcopy=False) if t.number < trial.number]
        place = sum(t.state != TrialState.FAIL for t in earlier)
        # Products with a large prime keep the sequences of neighbouring seeds apart.
        seed = (self._seed * 1_000_003 + place) % 2**32
        self._tpe = TPESampler(n_startup_trials=self._startup_trials, seed=seed)
        self._tpe.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return what is drawn together."""
        space: dict[str, BaseDistribution] = self._tpe.infer_relative_search_space(study, trial)
        return space

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw values together."""
        values: dict[str, Any] = self._tpe.sample_relative(study, trial, search_space)
        return values

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one value."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tell the sampler how it ended."""
        self._tpe.after_trial(study, trial, state, values)


def open_study(
    address: "URL",
    name: str,
    *,
    seed: int,
    startup_trials: int,
    heartbeat: int,
    pruner: PrunerParams,
) -> optuna.Study:
    """Open a study by name, or begin it.

    Args:
        address: Address of the database.
        name: Name of the study; what changes a trial's outcome changes it.
        seed: Seed of the sampler.
        startup_trials: Trials drawn at random.
        heartbeat: Seconds between the signs of life of a running trial.
        pruner: When a trial is ended early.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    waiting = {"connect_args": {"timeout": 60}} if address.get_backend_name() == "sqlite" else {}
    with quiet():
        storage = optuna.storages.RDBStorage(
            address.render_as_string(hide_password=False),
            engine_kwargs=waiting,
            heartbeat_interval=heartbeat,
            grace_period=SILENT * heartbeat,
        )
    rule: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
    if pruner.kind == "median":
        rule = optuna.pruners.MedianPruner(pruner.startup_trials)
    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="minimize",
        sampler=SeededTPE(seed, startup_trials),
        pruner=rule,
        load_if_exists=True,
    )


def complete_study(
    study: optuna.Study, trials: int, heartbeat: int, run: Callable[[int], None]
) -> None:
    """Run the trials that a study lacks, wherever an earlier run ended.

    Args:
        study: The study.
        trials: Number of trials that it is to have.
        heartbeat: Seconds between signs of life, see `open_study`.
        run: Runs so many trials, those that wait first.
    """
    if running := _running(study):
        logger.info(
            "waiting up to %d s for a sign of life of %s, begun by another run",
            SILENT * heartbeat,
            ", ".join(f"trial {trial.number}" for trial in running),
        )
    deadline = time.monotonic() + SILENT * heartbeat + 1
    while _running(study) and time.monotonic() < deadline:  # a killed run's, or another machine's
        time.sleep(min(1.0, heartbeat))
        fail_dead_trials(study, heartbeat)
    while True:
        try_again(study)
        if missing := missing_trials(study, trials):
            run(missing)
        elif _running(study):
            time.sleep(heartbeat)
            fail_dead_trials(study, heartbeat)
        else:
            return


def missing_trials(study: optuna.Study, trials: int) -> int:
    """Return how many trials are neither ended nor running."""
    found = study.get_trials(deepcopy=False)
    given_up = sum(t.state == TrialState.FAIL and _attempt(t) >= ATTEMPTS for t in found)
    at_work = sum(t.state in (*_ENDED, TrialState.RUNNING) for t in found)
    return max(0, trials - int(at_work + given_up))


def fail_dead_trials(study: optuna.Study, heartbeat: int) -> None:
    """Count running trials that give no sign of life as failed."""
    with quiet():
        optuna.storages.fail_stale_trials(study)
    for trial in _running(study):
        # Killed before its first sign of life: values are drawn within milliseconds.
        started = trial.datetime_start
        if started and not trial.params and time.time() - started.timestamp() > SILENT * heartbeat:
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def try_again(study: optuna.Study) -> None:
    """Queue each failed trial once more, with the values it had."""
    trials = study.get_trials(deepcopy=False)
    queued = {trial.user_attrs.get("again") for trial in trials}
    for trial in trials:
        if trial.state != TrialState.FAIL or trial.number in queued:
            continue
        if _attempt(trial) < ATTEMPTS:
            again = {"again": trial.number, "attempt": _attempt(trial) + 1}
            study.enqueue_trial(trial.params, user_attrs=again)


def suggest(
    trial: optuna.Trial, space: SpaceParams, base: Mapping[str, float | str]
) -> dict[str, Any]:
    """Return a trial's values: drawn, fixed, or those of the parameters."""
    drawn: dict[str, Any] = {}
    for name in TARGETS:
        dimension = getattr(space, name)
        if not dimension.searched:
            drawn[name] = next(iter(dimension.values), base[name])
        elif dimension.choices or not isinstance(dimension, NumberParams):
            drawn[name] = trial.suggest_categorical(name, dimension.choices)
        else:
            drawn[name] = trial.suggest_float(
                name, dimension.low, dimension.high, log=dimension.log
            )
    trial.set_user_attr("values", drawn)
    return drawn


def records(study: optuna.Study) -> list[dict[str, Any]]:
    """Return every trial as plain values, in their order; those that only wait are left out."""
    return [
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value if trial.state == TrialState.COMPLETE else None,
            "values": trial.user_attrs.get("values", {}),
            "losses": {str(step): loss for step, loss in trial.intermediate_values.items()},
            "pruned_at": trial.last_step if trial.state == TrialState.PRUNED else None,
            "reason": trial.user_attrs.get("reason", ""),
            "attempt": _attempt(trial),
            "started": trial.datetime_start.timestamp() if trial.datetime_start else None,
            "seconds": trial.duration.total_seconds() if trial.duration else None,
        }
        for trial in study.get_trials(deepcopy=False)
        if trial.state != TrialState.WAITING
    ]


def importances(study: optuna.Study) -> dict[str, float]:
    """Return each searched value's share in the difference between trials (PED-ANOVA).

    Watanabe, Bansal and Hutter, 2023, arXiv:2304.10255. Empty where too few trials finished.
    """
    try:
        with quiet():
            # Optuna would warn and call all parameters equally important.
            warnings.filterwarnings("error", message=".*importances will be equal")
            return dict(optuna.importance.get_param_importances(study))
    except (RuntimeError, ValueError, UserWarning):
        return {}


@contextmanager
def storage_errors(address: "URL") -> Iterator[None]:
    """Say in one sentence that the database cannot be used, without the password."""
    from sqlalchemy.exc import SQLAlchemyError

    shown = address.render_as_string(hide_password=True)
    try:
        yield
    except ImportError as error:
        if "DB access module" not in str(error):
            raise
        remedy = "install it beside this package"
        if address.get_backend_name() == "postgresql":
            remedy = "run pip install 'kd_kedro[postgresql]', for postgresql+psycopg://"
        raise ValueError(
            f"study_storage {shown}: the driver {address.drivername} is not installed: {remedy}"
        ) from error
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        cause = error.__cause__ or error
        reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
        raise ValueError(
            f"study_storage {shown} cannot be used ({reason}): mend the database, or change the "
            "entry study_storage in the catalog"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's remarks on what it calls experimental to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _running(study: optuna.Study) -> list[FrozenTrial]:
    trials: list[FrozenTrial] = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return trials


def _attempt(trial: FrozenTrial) -> int:
    return int(trial.user_attrs.get("attempt", 1))
