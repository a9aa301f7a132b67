"""Nodes of the tuning pipeline: a study over students, its table, its best values, its figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.pipelines.distillation.models import Start, card_of_start
from kd_kedro.pipelines.distillation.nodes import capture_targets
from kd_kedro.pipelines.distillation.students import reference_inputs, taught_inputs
from kd_kedro.pipelines.distillation.training_groups import Settings, StudentSettings
from kd_kedro.pipelines.tuning.params import BASELINE_RATE, TARGETS, SpaceParams, TuningParams
from kd_kedro.pipelines.tuning.study_plots import history_figure, importance_figure
from kd_kedro.training.examples import triples
from kd_kedro.training.loop.training_config import ObjectiveConfig, TrainingConfig
from kd_kedro.training.teacher.capture_config import CaptureConfig
from kd_kedro.training.teacher.targets import TeacherTargets

if TYPE_CHECKING:
    from kd_kedro.pipelines.tuning.trials import StudentTrainer


class StudyInputs(NamedTuple):
    """What the trials of a study learn from.

    Attributes:
        data: Examples, those of validation, a tokenizer.
        start_student: What students begin as.
        teacher: None where the trials are baselines.
        targets: What was captured of it.
    """

    data: tuple[pd.DataFrame, pd.DataFrame, Any]
    start_student: Start
    teacher: LanguageModel | None = None
    targets: TeacherTargets | None = None


def capture_for_trials(
    examples: pd.DataFrame,
    teacher: LanguageModel,
    teacher_targets: TeacherTargets,
    targets: CaptureConfig,
    tuning: TuningParams,
    settings: Settings,
) -> TeacherTargets:
    """Return what was captured; capture it here where only a trial may ask for it.

    distillation.objective may ask no teacher, so that nothing was captured for its students.
    """
    from kd_kedro.pipelines.tuning.trials import may_ask

    asked = StudentSettings.model_validate(settings)
    if teacher_targets.asked_for or asked.student.tokenizer or not may_ask(tuning.space, asked):
        return teacher_targets
    asking = targets.model_copy(update={"capture": True})
    place = teacher_targets.store
    return capture_targets(examples, teacher.tokenizer, teacher, asking, asked.max_length, place)


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
        `{trained, study, capture, space, base, students, trials, importances}`.
    """
    inputs = StudyInputs(
        (examples, validation_examples, teacher.tokenizer), start_student, teacher, teacher_targets
    )
    asked = StudentSettings.model_validate(settings)
    return _study(inputs, tuning, study_storage, asked, training_work_dir)


def run_baseline_study(
    examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    tokenizer: Any,
    start_student: Start,
    tuning: TuningParams,
    study_storage: Any,
    settings: Settings,
    training_work_dir: Path,
) -> dict[str, Any]:
    """Run a study of as many trials over baselines: what they share with students is searched.

    Returns:
        What `run_study` returns; nothing where no such study is asked for, or the learning rate,
        which is all that a baseline could search, is given.
    """
    if not (tuning.baseline and tuning.space.learning_rate.searched):
        return {}
    inputs = StudyInputs((examples, validation_examples, tokenizer), start_student)
    asked = StudentSettings.model_validate(settings)
    asked = asked.model_copy(update={"objective": ObjectiveConfig()})
    tuning = tuning.model_copy(update={"space": tuning.space.of_baseline()})
    return _study(inputs, tuning, study_storage, asked, training_work_dir)


def _study(
    inputs: "StudyInputs",
    tuning: TuningParams,
    study_storage: Any,
    asked: StudentSettings,
    work_dir: Path,
) -> dict[str, Any]:
    from kd_kedro.pipelines.tuning.study import complete_study, importances, records, storage_errors
    from kd_kedro.pipelines.tuning.trials import StudentTrainer, capture_of
    from kd_kedro.pipelines.tuning.workers import Work, run_here, run_side_by_side

    if not len(inputs.data[1]):
        raise ValueError(
            "a study needs rows to compare its trials on: the validation split is empty, or "
            "distillation.examples.validation_rows is 0"
        )
    targets, teacher = inputs.targets, inputs.teacher
    capture = targets and capture_of(targets, tuning.space, asked)
    written = reference_inputs(*inputs.data, asked.student, asked.max_length, work_dir)
    trainer = StudentTrainer(
        taught_inputs(written, teacher, capture, asked.on_policy) if teacher else written,
        inputs.start_student,
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
        work_dir=work_dir,
        train=trainer,
    )
    run = run_here if tuning.workers == 1 else run_side_by_side
    with storage_errors(study_storage):
        study = work.study()
        complete_study(
            study, tuning.trials, tuning.heartbeat, lambda count: run(work, study, count)
        )
        return {
            "trained": "student" if asked.start else "baseline",
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


def choose_best(
    tuning_record: Mapping[str, Any], baseline_tuning_record: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values of the trial with the least validation loss, as parameters.

    What the space left as it is in distillation is none of them. The learning rate of the best
    baseline is one of them, and `baseline` tells of its trial, where baselines had a study.

    Raises:
        ValueError: No trial finished.
    """
    values, told = _best(tuning_record)
    space = SpaceParams.model_validate(tuning_record["space"])
    chosen = {TARGETS[name]: values[name] for name in TARGETS if getattr(space, name).values}
    best = {"parameters": chosen, **told, "capture": tuning_record["capture"]}
    if not baseline_tuning_record:
        return best
    values, told = _best(baseline_tuning_record)
    chosen[BASELINE_RATE] = values["learning_rate"]
    return {**best, "baseline": told}


def _best(record: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of a study's best trial, and which it is."""
    finished = [trial for trial in record["trials"] if trial["state"] == "complete"]
    if not finished:
        reasons = sorted({trial["reason"] for trial in record["trials"]} - {""})
        raise ValueError(
            f"no trial of the {record['trained']}'s study finished "
            f"({'; '.join(reasons) or 'all failed'}): widen tuning.space, lower its learning rates "
            "or give more tuning.trials"
        )
    best = min(finished, key=lambda trial: (trial["value"], trial["number"]))
    return best["values"], {
        "trial": best["number"],
        "validation_loss": best["value"],
        "study": record["study"],
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
            **({} if asked.start else {"start": False}),  # a baseline is no student
            "seed": asked.seed,
            "space": space.model_dump(mode="json"),
            "tuning": tuning.model_dump(include={"seed", "budget", "startup_trials", "pruner"}),
        }
    )
