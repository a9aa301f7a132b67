"""One training of the distillation pipeline: a model, rows, a source of targets, and its card."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.models.causal_lm import LanguageModel  # imports nothing heavy
from kd_kedro.pipelines.distillation.examples import (
    Rows,
    encode_rows,
    student_rows,
    training_rows,
    validation_rows,
)
from kd_kedro.pipelines.distillation.models import (
    STUDENT,
    make_student,
    origin_of,
)
from kd_kedro.pipelines.distillation.params import (
    ExampleParams,
    ObjectiveParams,
    OnPolicyParams,
    SequenceLevelParams,
    StudentParams,
    TrainingParams,
)

if TYPE_CHECKING:  # torch and transformers would make every kedro command slow
    from kd_kedro.training.loop.objective import Objective
    from kd_kedro.training.loop.on_policy import OnPolicy
    from kd_kedro.training.teacher.signals import LiveTeacher, TargetSource
    from kd_kedro.training.teacher.store import Teachers

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
        teacher: Whose layers the students are made of; None where they are made of none.
        targets: The teacher's signals; None where it is not asked.
        on_policy: How a student samples answers of its own; None where it does not.
    """

    rows: Rows
    validation: Rows
    tokenizer: Any
    max_length: int
    work_dir: Path
    teacher: LanguageModel | None = None
    targets: "TargetSource | None" = None
    on_policy: "OnPolicy | None" = None


def make_lesson(
    augmented_qa: pd.DataFrame, tokenizer: Any, examples: ExampleParams, work_dir: Path
) -> Lesson:
    """Choose the written rows to learn from."""
    return Lesson(
        training_rows(augmented_qa, examples),
        validation_rows(augmented_qa, examples),
        tokenizer,
        examples.max_length,
        work_dir,
    )


def baseline_lesson(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    examples: ExampleParams,
    student: StudentParams,
    work_dir: Path,
) -> Lesson:
    """Return what a student learns without a teacher: the written rows, in its own tokens."""
    from kd_kedro.models.tokenization import load_pretrained_tokenizer

    if student.tokenizer:
        tokenizer = load_pretrained_tokenizer(student.tokenizer, f"{STUDENT}.tokenizer")
    lesson = make_lesson(augmented_qa, tokenizer, examples, work_dir)
    return replace(lesson, teacher=teacher if student.copy_layers else None)


def student_lesson(
    written: Lesson,
    teacher_answers: pd.DataFrame,
    sequence_level: SequenceLevelParams,
    teachers: "Teachers",
    teacher_targets: Mapping[str, Any],
    target_store: Path,
    on_policy: OnPolicyParams,
) -> Lesson:
    """Return what every student of a run learns from.

    Args:
        written: What the baseline learns from.
        teacher_answers: What a teacher wrote to the training questions.
        sequence_level: Whether that is learned from.
        teachers: Each with its share of the probability.
        teacher_targets: The manifest of what was captured of them; empty where the objective has no
            part that a teacher's signals give.
        target_store: Where the manifest points.
        on_policy: How the student samples answers of its own.

    Raises:
        ValueError: The targets are those of other rows, of another tokenizer or teacher.
    """
    lesson = replace(written, rows=student_rows(written.rows, teacher_answers, sequence_level))
    if not teacher_targets:
        return lesson
    return replace(
        lesson,
        targets=_open_capture(lesson, teachers, teacher_targets, target_store),
        on_policy=_on_policy(lesson, teachers, on_policy, teacher_targets["precision"]),
    )


def train_one(
    lesson: Lesson,
    student: StudentParams,
    training: TrainingParams,
    objective: ObjectiveParams | None,
    seed: int,
    name: str,
    on_evaluation: OnEvaluation | None = None,
) -> tuple[LanguageModel, History]:
    """Train one student, or without an objective its baseline.

    Where the student is made of the teacher's layers, the baseline has their shape alone.

    Args:
        lesson: What it learns from.
        student: What it is.
        training: Budget and optimiser.
        objective: What it learns; None for the baseline, which has the written answers alone.
        seed: Of weights, row order and dropout.
        name: What its card and its progress bar say.
        on_evaluation: Told step and validation loss; what it raises ends the training.
    """
    taught = objective is not None
    model = make_student(student, lesson.tokenizer, lesson.max_length, seed, lesson.teacher, taught)
    goal, origin = _objective(objective), origin_of(student, taught)
    return train_model(model, lesson, training, goal, seed, name, origin, on_evaluation)


def train_model(
    model: Any,
    lesson: Lesson,
    training: TrainingParams,
    objective: "Objective",
    seed: int,
    name: str,
    origin: str,
    on_evaluation: OnEvaluation | None = None,
) -> tuple[LanguageModel, History]:
    """Train a model in place; return it with its card, and its history."""
    from kd_kedro.models.encoding import pad_token_id
    from kd_kedro.training.loop.train import TrainingSettings, train

    targets = lesson.targets if objective.asks_teacher else None
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


def live_teacher(teachers: "Teachers", tokenizer: Any, precision: str) -> "LiveTeacher":
    """Return the teachers as a source that is asked at every step."""
    from kd_kedro.storage.fingerprints import settings_fingerprint
    from kd_kedro.training.teacher.signals import LiveTeacher
    from kd_kedro.training.teacher.store import teachers_fingerprint

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
    from kd_kedro.models.build import size_card
    from kd_kedro.storage.fingerprints import weights_fingerprint

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


def _open_capture(
    lesson: Lesson, teachers: "Teachers", teacher_targets: Mapping[str, Any], target_store: Path
) -> "TargetSource":
    """Open the captured targets, or the teachers themselves where they are to be asked live."""
    from kd_kedro.training.teacher.store import check_identity, identity, open_targets

    belongs_to = identity(lesson.rows, lesson.tokenizer, teachers, lesson.max_length)
    if teacher_targets.get("source") != "live":
        return open_targets(teacher_targets, target_store, belongs_to)
    check_identity(teacher_targets, belongs_to)
    return live_teacher(teachers, lesson.tokenizer, teacher_targets["precision"])


def _on_policy(
    lesson: Lesson, teachers: "Teachers", params: OnPolicyParams, precision: str
) -> "OnPolicy | None":
    """Return how a student samples answers, which its teachers judge live, where it does."""
    from kd_kedro.models.encoding import pad_token_id
    from kd_kedro.training.loop.on_policy import OnPolicy

    if not params.share:
        return None
    return OnPolicy(
        live_teacher(teachers, lesson.tokenizer, precision),
        **params.model_dump(),
        end=lesson.tokenizer.eos_token_id,
        padding=pad_token_id(lesson.tokenizer),
    )


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
    from kd_kedro.training.loop.objective import Objective

    return Objective() if params is None else Objective(**params.model_dump())
