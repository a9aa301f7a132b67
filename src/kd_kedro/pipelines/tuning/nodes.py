"""Nodes of the tuning pipeline: a study over students, its table, its best values, its figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.pipelines.distillation.models import Start, card_of_start
from kd_kedro.pipelines.distillation.students import reference_inputs, taught_inputs
from kd_kedro.pipelines.distillation.training_groups import Settings, StudentSettings
from kd_kedro.pipelines.tuning.params import TARGETS, SpaceParams, TuningParams
from kd_kedro.pipelines.tuning.study_plots import history_figure, importance_figure
from kd_kedro.training.examples import triples
from kd_kedro.training.loop.training_config import ObjectiveConfig, TrainingConfig
from kd_kedro.training.teacher.targets import TeacherTargets

if TYPE_CHECKING:
    from kd_kedro.pipelines.tuning.trials import StudentTrainer


def run_study(
    examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    teacher: LanguageModel,
    teacher_targets: TeacherTargets,
    start_student: Start,
    tuning: TuningParams,
    study_storage: Any,
    settings: Settings,
    training_work_dir: Path,
) -> dict[str, Any]:
    """Run the trials that the study lacks, and return all of them.

    A trial is a student trained on one capture with other values; its outcome is its least loss on
    the validation split.

    Returns:
        `{study, capture, space, base, students, trials, importances}`.
    """
    from kd_kedro.pipelines.tuning.study import complete_study, importances, records, storage_errors
    from kd_kedro.pipelines.tuning.trials import StudentTrainer, capture_of
    from kd_kedro.pipelines.tuning.workers import Work, run_here, run_side_by_side

    asked = StudentSettings.model_validate(settings)
    if not len(validation_examples):
        raise ValueError(
            "a study needs rows to compare its trials on: the validation split is empty, or "
            "distillation.examples.validation_rows is 0"
        )
    capture = capture_of(teacher_targets, tuning.space, asked)
    data = (examples, validation_examples, teacher.tokenizer)
    written = reference_inputs(*data, asked.student, asked.max_length, training_work_dir)
    trainer = StudentTrainer(
        taught_inputs(written, teacher, capture, asked.on_policy),
        start_student,
        asked.model_copy(update={"training": _share(asked.training, tuning.budget)}),
        capture,
        _threads(tuning.workers),
    )
    trainer.check(tuning.space)
    base = {name: _base(name, trainer.objective, asked.training) for name in TARGETS}
    work = Work(
        address=study_storage,
        name=f"kd_kedro-{_fingerprint(trainer, tuning)}",
        params=tuning,
        base=base,
        work_dir=training_work_dir,
        train=trainer,
    )
    run = run_here if tuning.workers == 1 else run_side_by_side
    with storage_errors(study_storage):
        study = work.study()
        complete_study(
            study, tuning.trials, tuning.heartbeat, lambda count: run(work, study, count)
        )
        return {
            "study": work.name,
            "capture": capture and capture.manifest.get("fingerprint"),
            "space": tuning.space.model_dump(mode="json"),
            "base": base,
            "students": _students(asked),
            "trials": records(study),
            "importances": importances(study),
        }


def tabulate_study(tuning_record: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row a trial."""
    table = pd.DataFrame(
        [
            {
                "number": trial["number"],
                "state": trial["state"],
                "value": trial["value"],
                **{name: trial["values"].get(name) for name in TARGETS},
                "seconds": None if trial["seconds"] is None else round(trial["seconds"], 1),
                "pruned_at": trial["pruned_at"],
                "reason": trial["reason"],
            }
            for trial in tuning_record["trials"]
        ]
    )
    return table.astype({"pruned_at": "Int64"})


def choose_best(tuning_record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the trial with the least validation loss, as parameters.

    What the space left as it is in distillation is none of them.

    Raises:
        ValueError: No trial finished.
    """
    finished = [trial for trial in tuning_record["trials"] if trial["state"] == "complete"]
    if not finished:
        reasons = sorted({trial["reason"] for trial in tuning_record["trials"]} - {""})
        raise ValueError(
            f"no trial of the study finished ({'; '.join(reasons) or 'all failed'}): widen "
            "tuning.space, lower its learning rates or give more tuning.trials"
        )
    best = min(finished, key=lambda trial: (trial["value"], trial["number"]))
    space = SpaceParams.model_validate(tuning_record["space"])
    chosen = [name for name in TARGETS if getattr(space, name).values]
    return {
        "parameters": {TARGETS[name]: best["values"][name] for name in chosen},
        "trial": best["number"],
        "validation_loss": best["value"],
        "capture": tuning_record["capture"],
        "study": tuning_record["study"],
        "finished_trials": len(finished),
    }


def plot_history(tuning_record: Mapping[str, Any]) -> Any:
    """Draw the loss of every trial."""
    return history_figure(tuning_record)


def plot_importance(tuning_record: Mapping[str, Any]) -> Any:
    """Draw how much each value matters."""
    return importance_figure(tuning_record)


def _share(training: TrainingConfig, share: float) -> TrainingConfig:
    """Return the training with a share of its budget, in the process of its trial."""
    return training.in_one_process().model_copy(
        update={
            "epochs": training.epochs * share,
            "max_tokens": max(1, round(training.max_tokens * share)),
            "max_steps": max(1, round(training.max_steps * share)) if training.max_steps else 0,
        }
    )


def _threads(workers: int) -> int:
    import torch

    return max(1, torch.get_num_threads() // workers) if workers > 1 else 0


def _base(name: str, objective: ObjectiveConfig, training: TrainingConfig) -> Any:
    return getattr(training if name == "learning_rate" else objective, name)


def _students(settings: StudentSettings) -> dict[str, Any]:
    """Return what all students of the study are, so that one can be told from others."""
    assert settings.objective is not None
    budget = settings.training.model_dump(
        mode="json", exclude={"learning_rate"} | TrainingConfig.operational()
    )
    goal = settings.objective.model_dump(mode="json", exclude=set(TARGETS))
    student = settings.student.model_dump(mode="json")
    return {"student": student, "settings": budget | goal, "seed": settings.seed}


def _fingerprint(trainer: "StudentTrainer", tuning: TuningParams) -> str:
    """Return the hash of all that a trial's outcome, or which trials come, depends on."""
    from kd_kedro.storage.fingerprints import (
        rows_fingerprint,
        settings_fingerprint,
        tokenizer_fingerprint,
    )

    inputs, asked, space = trainer.inputs, trainer.settings, tuning.space
    searched = {name for name in TARGETS if getattr(space, name).values}
    return settings_fingerprint(
        {
            "capture": trainer.targets and trainer.targets.manifest.get("fingerprint"),
            "rows": rows_fingerprint(triples(inputs.examples)),
            "validation": rows_fingerprint(triples(inputs.validation)),
            "tokenizer": tokenizer_fingerprint(inputs.tokenizer),
            "on_policy": inputs.on_policy and inputs.on_policy.settings,
            "student": asked.student.model_dump(mode="json") | card_of_start(trainer.start_student),
            "training": asked.training.model_dump(
                mode="json", exclude=searched | TrainingConfig.operational()
            ),
            "objective": trainer.objective.model_dump(mode="json", exclude=searched),
            "seed": asked.seed,
            "space": space.model_dump(mode="json"),
            "tuning": tuning.model_dump(include={"seed", "budget", "startup_trials", "pruner"}),
        }
    )
