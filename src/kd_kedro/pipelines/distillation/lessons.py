"""One training of the distillation pipeline: a model, rows, a source of targets, and its card."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.pipelines.distillation.models import make_student, origin_of
from kd_kedro.pipelines.distillation.params import (
    ExampleParams,
    ObjectiveParams,
    OnPolicyParams,
    SequenceLevelParams,
    StudentParams,
    TrainingParams,
)
from kd_kedro.pipelines.distillation.rows import (
    Rows,
    encode_rows,
    student_rows,
    training_rows,
    validation_rows,
)
from kd_kedro.training.language_model import LanguageModel  # imports nothing heavy

if TYPE_CHECKING:  # torch and transformers would make every kedro command slow
    from kd_kedro.training.objective import Objective
    from kd_kedro.training.on_policy import OnPolicy
    from kd_kedro.training.target_store import Teachers
    from kd_kedro.training.targets import TargetSource

History = list[dict[str, float]]
OnEvaluation = Callable[[int, float], None]


@dataclass(frozen=True)
class Lesson:
    """What all trainings of a run share.

    Attributes:
        rows: Training rows.
        validation: Rows that early stopping looks at.
        tokenizer: What turns them into tokens.
        max_length: Most tokens of a row.
        work_dir: Where checkpoints lie.
        on_policy: How a student samples answers of its own; None where it does not.
        teacher: Whose layers a student may be made of.
    """

    rows: Rows
    validation: Rows
    tokenizer: Any
    max_length: int
    work_dir: Path
    on_policy: "OnPolicy | None" = None
    teacher: LanguageModel | None = None


def make_lesson(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    examples: ExampleParams,
    work_dir: Path,
    teacher_answers: pd.DataFrame | None = None,
    sequence_level: SequenceLevelParams | None = None,
) -> Lesson:
    """Choose the rows to learn from: the written ones, or those with what a teacher wrote."""
    rows = training_rows(augmented_qa, examples)
    if teacher_answers is not None and sequence_level is not None:
        rows = student_rows(rows, teacher_answers, sequence_level)
    return Lesson(
        rows,
        validation_rows(augmented_qa, examples),
        tokenizer,
        examples.max_length,
        work_dir,
    )


def with_own_tokenizer(lesson: Lesson, student: StudentParams) -> Lesson:
    """Return the lesson in the tokens of a student that has a tokenizer of its own."""
    from kd_kedro.training.tokenization import load_pretrained_tokenizer

    if not student.tokenizer:
        return lesson
    return replace(lesson, tokenizer=load_pretrained_tokenizer(student.tokenizer))


def with_own_answers(lesson: Lesson, teachers: "Teachers", params: OnPolicyParams) -> Lesson:
    """Return the lesson of a student that samples answers, which its teachers judge live."""
    from kd_kedro.training.examples import pad_token_id
    from kd_kedro.training.on_policy import OnPolicy

    if not params.share:
        return lesson
    policy = OnPolicy(
        live_teacher(teachers, lesson.tokenizer, "fp32"),
        **params.model_dump(),
        end=lesson.tokenizer.eos_token_id,
        padding=pad_token_id(lesson.tokenizer),
    )
    return replace(lesson, on_policy=policy)


def train_one(
    lesson: Lesson,
    student: StudentParams,
    training: TrainingParams,
    objective: ObjectiveParams | None,
    targets: "TargetSource | None",
    seed: int,
    name: str,
    on_evaluation: OnEvaluation | None = None,
) -> tuple[LanguageModel, History]:
    """Train one student, or without an objective its baseline.

    Where the student is made of the teacher's layers, the baseline has their shape alone.

    Args:
        lesson: Rows, tokenizer, work directory, and the teacher where its layers are copied.
        student: What it is.
        training: Budget and optimiser.
        objective: What it learns; None for the baseline, which has the written answers alone.
        targets: The teacher's signals; None where it is not asked.
        seed: Of weights, row order and dropout.
        name: What its card and its progress bar say.
        on_evaluation: Told step and validation loss; what it raises ends the training.
    """
    taught = objective is not None
    model = make_student(student, lesson.tokenizer, lesson.max_length, seed, lesson.teacher, taught)
    goal, origin = _objective(objective), origin_of(student, taught)
    return train_model(model, lesson, training, goal, targets, seed, name, origin, on_evaluation)


def train_model(
    model: Any,
    lesson: Lesson,
    training: TrainingParams,
    objective: "Objective",
    targets: "TargetSource | None",
    seed: int,
    name: str,
    origin: str,
    on_evaluation: OnEvaluation | None = None,
) -> tuple[LanguageModel, History]:
    """Train a model in place; return it with its card, and its history."""
    from kd_kedro.training.examples import pad_token_id
    from kd_kedro.training.trainer import TrainingSettings, train

    history = train(
        model,
        encode_rows(lesson.rows, lesson.tokenizer, lesson.max_length),
        encode_rows(lesson.validation, lesson.tokenizer, lesson.max_length),
        objective=objective,
        targets=targets,
        settings=TrainingSettings(**training.model_dump()),
        seed=seed,
        padding=pad_token_id(lesson.tokenizer),
        work_dir=lesson.work_dir,
        description=name,
        on_policy=lesson.on_policy,
        on_evaluation=on_evaluation,
    )
    card = _training_card(training, objective, targets, history)
    if lesson.on_policy is not None:
        card["on_policy"] = lesson.on_policy.settings
    return with_card(model, lesson, seed, name, origin, card), history


def teachers_of(teacher: LanguageModel, further: Mapping[str, LanguageModel]) -> "Teachers":
    """Return all teachers with their shares of the probability, which sum to one."""
    others = [(further[name], float(further[name].card["share"])) for name in sorted(further)]
    return [(teacher, 1.0 - sum(share for _, share in others)), *others]


def open_capture(
    lesson: Lesson,
    teacher: LanguageModel,
    teacher_targets: Mapping[str, Any],
    target_store: Path,
    further_teachers: Mapping[str, LanguageModel] = MappingProxyType({}),
) -> "TargetSource":
    """Open the captured targets, or the teacher itself where it is to be asked live.

    Raises:
        ValueError: They are those of other rows, of another tokenizer or teacher.
    """
    from kd_kedro.training.target_store import check_identity, identity, open_targets

    teachers = teachers_of(teacher, further_teachers)
    belongs_to = identity(lesson.rows, lesson.tokenizer, teachers, lesson.max_length)
    if teacher_targets.get("source") != "live":
        return open_targets(teacher_targets, target_store, belongs_to)
    check_identity(teacher_targets, belongs_to)
    return live_teacher(teachers, lesson.tokenizer, teacher_targets["precision"])


def live_teacher(teachers: "Teachers", tokenizer: Any, precision: str) -> "TargetSource":
    """Return the teachers as a source that is asked at every step."""
    from kd_kedro.training.fingerprints import settings_fingerprint
    from kd_kedro.training.target_store import teachers_fingerprint
    from kd_kedro.training.targets import LiveTeacher

    (first, _), *further = teachers
    return LiveTeacher(
        first.model,
        len(tokenizer),
        settings_fingerprint(["live", teachers_fingerprint(teachers), precision]),
        further=[(teacher.model, share) for teacher, share in further],
        precision=precision,
    )


def with_card(
    model: Any,
    lesson: Lesson,
    seed: int,
    name: str,
    origin: str,
    training_card: dict[str, Any] | None = None,
) -> LanguageModel:
    """Return a model with its tokenizer and a card that says what it is and what made it."""
    from kd_kedro.training.fingerprints import weights_fingerprint
    from kd_kedro.training.models import size_card

    card = {
        "name": name,
        # Reports and model cards travel: a folder is named, not where it lies on this machine.
        "origin": (Path(origin).name if Path(origin).is_dir() else origin) or "made in this run",
        "seed": seed,
        **size_card(model),
        "max_length": lesson.max_length,
        "weights": weights_fingerprint(model),
        **(training_card or {}),
    }
    return LanguageModel(model.eval(), lesson.tokenizer, card)


def _training_card(
    training: TrainingParams,
    objective: "Objective",
    targets: "TargetSource | None",
    history: History,
) -> dict[str, Any]:
    losses = [record["validation_loss"] for record in history if "validation_loss" in record]
    asked: dict[str, Any] = {"alpha": objective.alpha, "beta": objective.beta}
    if targets is not None:
        asked |= asdict(objective)
    return {
        "steps": int(history[-1]["step"]),
        "validation_loss": min(losses) if losses else None,
        "teacher_targets": targets.fingerprint if targets is not None else None,
        "objective": asked,
        "training": training.model_dump(),
    }


def _objective(params: ObjectiveParams | None) -> "Objective":
    from kd_kedro.training.objective import Objective

    return Objective() if params is None else Objective(**params.model_dump())
