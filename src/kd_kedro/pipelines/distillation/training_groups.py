"""What is asked of each training, as one object: groups of parameters, put together by a node.

A training reads one entry instead of six, and goes stale with these groups alone.
"""

from typing import Any

from pydantic import BaseModel

from kd_kedro.metrics.report.evidence import CUT_UNTAUGHT, PATIENT
from kd_kedro.pipelines.distillation.params import (
    CONFIG,
    Account,
    BaselineParams,
    ControlParams,
    SeedParams,
    StudentParams,
    TeacherParams,
)
from kd_kedro.training.loop.training_config import ObjectiveConfig, OnPolicyConfig, TrainingConfig

Settings = dict[str, Any]  # plain JSON values, as the catalog keeps them
ANY = 1_000_000.0  # epochs, where tokens alone are the bound


class Patience(BaseModel):
    """How much longer a patient twin is trained.

    Attributes:
        account: Whether the compute of the teacher's training counts.
        asks_teacher: Whether the student asks its teacher, which takes compute too.
    """

    model_config = CONFIG

    account: Account
    asks_teacher: bool


class StudentSettings(BaseModel):
    """One training of a student, or of its baseline.

    Attributes:
        student: What it is.
        training: Budget and optimiser.
        objective: What it learns; None where it has the reference answers alone.
        start: Whether it begins as the student does; the baseline does not where that is with
            weights of the teacher.
        on_policy: Whether it learns from answers of its own; None for the baseline.
        patience: The compute that a patient twin is trained for; None for any other model.
        seed: Seed of weights, row order and dropout.
        max_length: Most tokens of an example.
    """

    model_config = CONFIG

    student: StudentParams
    training: TrainingConfig
    objective: ObjectiveConfig | None = None
    start: bool = True
    on_policy: OnPolicyConfig | None = None
    patience: Patience | None = None
    seed: int
    max_length: int


class SeedSettings(BaseModel):
    """The students of every seed after the first, with their twins.

    Attributes:
        students: Each of them by its name.
        workers: Processes that train them side by side.
    """

    model_config = CONFIG

    students: dict[str, StudentSettings]
    workers: int


class ControlSettings(BaseModel):
    """The models that are made only to be compared with.

    Attributes:
        student: The student that stays untrained.
        second_teacher: A teacher of another seed; None where there is none.
        pretrained_teacher: The teacher as it came; None where it is not asked.
        cut_untaught: The student's start, to be trained without a teacher; None where there is
            none, since it is the baseline.
        seed: Seed of the untrained student.
        max_length: Most tokens of an example.
    """

    model_config = CONFIG

    student: StudentParams
    second_teacher: TeacherParams | None
    pretrained_teacher: TeacherParams | None
    cut_untaught: StudentSettings | None
    seed: int
    max_length: int


class StartSettings(BaseModel):
    """What students begin as, where that is a part of the teacher.

    Attributes:
        student: What the students are.
        training: Of each shape within a budget, before one of them is taken.
        max_length: Most tokens of an example.
    """

    model_config = CONFIG

    student: StudentParams
    training: TrainingConfig
    max_length: int


def set_start(
    student: StudentParams, batch_size: int, gradient_checkpointing: bool, max_length: int
) -> Settings:
    """Return what is asked of the students' start.

    It reads no other parameter of the students' training, whose change would else make it stale.
    """
    cut = student.from_teacher
    training = TrainingConfig(
        learning_rate=cut.search_learning_rate,
        batch_size=batch_size,
        gradient_checkpointing=gradient_checkpointing,
        epochs=ANY,
        max_tokens=cut.search_tokens,
        num_evaluations=1,
        patience=0,
    )
    return _plain(StartSettings(student=student, training=training, max_length=max_length))


def set_baseline(
    student: StudentParams,
    training: TrainingConfig,
    seed: int,
    max_length: int,
    baseline: BaselineParams,
) -> Settings:
    """Return what is asked of the student's twin: the same, without a teacher."""
    return _plain(_baseline(student, baseline.trains(training), seed, max_length))


def set_student(
    student: StudentParams,
    training: TrainingConfig,
    objective: ObjectiveConfig,
    on_policy: OnPolicyConfig,
    seed: int,
    max_length: int,
) -> Settings:
    """Return what is asked of a student."""
    return _plain(_student(student, training, objective, on_policy, seed, max_length))


def set_seeds(
    student: StudentParams,
    training: TrainingConfig,
    objective: ObjectiveConfig,
    on_policy: OnPolicyConfig,
    seeds: SeedParams,
    controls: ControlParams,
    max_length: int,
) -> Settings:
    """Return what is asked of every seed after the first, of controls too.

    Of patient twins it is every seed, the first too: how long they train depends on the targets,
    which the node of the controls does not read. Where a training has processes of its own, the
    next one waits for it.
    """
    asked: dict[str, StudentSettings] = {}
    for seed in range(seeds.first, seeds.first + seeds.count):
        baseline = _baseline(student, controls.baseline.trains(training), seed, max_length)
        for account in controls.patient_accounts:
            patience = Patience(account=account, asks_teacher=objective.asks_teacher)
            twin = baseline.model_copy(update={"patience": patience})
            asked[f"{PATIENT[account]}_{seed}"] = twin
        if seed == seeds.first:
            continue
        asked[f"baseline_{seed}"] = baseline
        asked[f"student_{seed}"] = _student(
            student, training, objective, on_policy, seed, max_length
        )
        if untaught := _cut_untaught(student, training, controls, seed, max_length):
            asked[f"{CUT_UNTAUGHT}_{seed}"] = untaught
    workers = seeds.workers if training.processes == 1 else 1
    return _plain(SeedSettings(students=asked, workers=workers))


def set_controls(
    student: StudentParams,
    teacher: TeacherParams,
    training: TrainingConfig,
    controls: ControlParams,
    seed: int,
    max_length: int,
) -> Settings:
    """Return what is asked of the models that students are compared with.

    There is no second teacher where none is asked for, or where the teacher is taken as it is, so
    that a seed changes nothing.
    """
    second = None
    if controls.teacher_seed is not None and teacher.fine_tune:
        second = teacher.model_copy(update={"seed": controls.teacher_seed})
    return _plain(
        ControlSettings(
            student=student,
            second_teacher=second,
            pretrained_teacher=controls.as_it_came(teacher),
            cut_untaught=_cut_untaught(student, training, controls, seed, max_length),
            seed=seed,
            max_length=max_length,
        )
    )


def _student(
    student: StudentParams,
    training: TrainingConfig,
    objective: ObjectiveConfig,
    on_policy: OnPolicyConfig,
    seed: int,
    max_length: int,
) -> StudentSettings:
    return StudentSettings(
        student=student,
        training=training,
        objective=objective,
        on_policy=on_policy,
        seed=seed,
        max_length=max_length,
    )


def _baseline(
    student: StudentParams, training: TrainingConfig, seed: int, max_length: int
) -> StudentSettings:
    return StudentSettings(
        student=student, training=training, start=False, seed=seed, max_length=max_length
    )


def _cut_untaught(
    student: StudentParams,
    training: TrainingConfig,
    controls: ControlParams,
    seed: int,
    max_length: int,
) -> StudentSettings | None:
    if not (student.starts_as_teacher and controls.cut_untaught):
        return None
    return StudentSettings(student=student, training=training, seed=seed, max_length=max_length)


def _plain(settings: BaseModel) -> Settings:
    return settings.model_dump(mode="json")
