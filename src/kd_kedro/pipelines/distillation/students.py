"""One student: what it learns from, and its training, in a node or in a trial of a study."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.pipelines.distillation.models import (
    STUDENT,
    Start,
    card_of_start,
    make_student,
    origin_of,
)
from kd_kedro.pipelines.distillation.params import StudentParams
from kd_kedro.pipelines.distillation.training_groups import StudentSettings
from kd_kedro.training.examples import learned, triples
from kd_kedro.training.loop.training_config import (
    History,
    ObjectiveConfig,
    OnEvaluation,
    OnPolicyConfig,
)
from kd_kedro.training.teacher.targets import TeacherTargets, live_teacher, teachers_of

if TYPE_CHECKING:  # torch and transformers would make every kedro command slow
    from kd_kedro.training.loop.model_training import TrainingInputs
    from kd_kedro.training.loop.on_policy import OnPolicy
    from kd_kedro.training.teacher.store import Teachers


def reference_inputs(
    examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    tokenizer: Any,
    student: StudentParams,
    max_length: int,
    work_dir: Path,
) -> "TrainingInputs":
    """Return what is learned from without a teacher: examples, in the student's own tokens."""
    from kd_kedro.models.tokenization import load_pretrained_tokenizer
    from kd_kedro.training.loop.model_training import TrainingInputs

    if student.tokenizer:
        tokenizer = load_pretrained_tokenizer(student.tokenizer, f"{STUDENT}.tokenizer")
    return TrainingInputs(learned(examples), validation_examples, tokenizer, max_length, work_dir)


def taught_inputs(
    written: "TrainingInputs",
    teacher: LanguageModel,
    targets: TeacherTargets | None,
    on_policy: OnPolicyConfig | None,
) -> "TrainingInputs":
    """Return what is learned from with a teacher.

    Args:
        written: What is learned from without it.
        teacher: The teacher, with its ensemble.
        targets: What was captured of it; None where the student does not ask it.
        on_policy: The sampling of the student's own answers.

    Raises:
        ValueError: The targets are those of other rows, of another tokenizer or teacher.
    """
    if targets is None:
        return written
    teachers, rows = teachers_of(teacher), triples(written.examples)
    source = targets.source(rows, written.tokenizer, teachers, written.max_length)
    sampled = _on_policy(written.tokenizer, teachers, on_policy, targets.manifest["precision"])
    return replace(written, targets=source, on_policy=sampled)


def train_one(
    inputs: "TrainingInputs",
    start_student: Start,
    settings: StudentSettings,
    name: str,
    on_evaluation: OnEvaluation | None = None,
) -> tuple[LanguageModel, History]:
    """Train one student, or a twin of it where there is no objective.

    Where the student begins with weights of the teacher, the baseline has their shape alone.

    Args:
        inputs: What it learns from.
        start_student: What it begins as, where that is a part of the teacher; it is left as it is.
        settings: What it is and what it is asked.
        name: What its card and its progress bar say.
        on_evaluation: Function of step and validation loss; its error ends the training.
    """
    from kd_kedro.training.loop.model_training import train_model

    trained, history = train_model(
        make_student(settings.student, inputs, settings.seed, start_student, settings.start),
        inputs,
        settings.training,
        settings.objective or ObjectiveConfig(),
        seed=settings.seed,
        name=name,
        origin=origin_of(settings.student, settings.start),
        on_evaluation=on_evaluation,
    )
    begun = card_of_start(start_student) if settings.start else {}
    return replace(trained, card={**trained.card, **begun}), history


def _on_policy(
    tokenizer: Any, teachers: "Teachers", params: OnPolicyConfig | None, precision: str
) -> "OnPolicy | None":
    """Return how a student samples answers, which its teachers judge live, where it does."""
    from kd_kedro.models.encoding import pad_token_id
    from kd_kedro.training.loop.on_policy import OnPolicy

    if params is None or not params.share:
        return None
    return OnPolicy(
        live_teacher(teachers, tokenizer, precision),
        params,
        end=tokenizer.eos_token_id,
        padding=pad_token_id(tokenizer),
    )
