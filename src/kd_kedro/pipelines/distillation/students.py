"""One student: what it learns from, and its training, in a node or in a trial of a study."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
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
from kd_kedro.pipelines.distillation.sequence_level import reference_examples
from kd_kedro.pipelines.distillation.training_groups import StudentSettings
from kd_kedro.training.contexts import encode_for_teacher, teacher_prompts
from kd_kedro.training.examples import encode_examples, learned, teachers_named, triples
from kd_kedro.training.loop.training_config import (
    History,
    ObjectiveConfig,
    OnEvaluation,
    OnPolicyConfig,
    TrainingConfig,
)
from kd_kedro.training.teacher.targets import TeacherTargets, live_teacher, teachers_of

if TYPE_CHECKING:  # torch and transformers would make every kedro command slow
    from kd_kedro.training.loop.model_training import TrainingInputs
    from kd_kedro.training.loop.on_policy import OnPolicy
    from kd_kedro.training.planning.compute import Compute
    from kd_kedro.training.teacher.signals import LiveTeacher


def reference_inputs(
    examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    tokenizer: Any,
    student: StudentParams,
    max_length: int,
    work_dir: Path,
    *,
    keeps: bool = False,
) -> "TrainingInputs":
    """Return what is learned from without a teacher: examples, in the student's own tokens."""
    from kd_kedro.models.prompt_format import format_of
    from kd_kedro.models.tokenization import load_pretrained_tokenizer
    from kd_kedro.training.loop.model_training import TrainingInputs

    if student.tokenizer:
        key, how = f"{STUDENT}.tokenizer", format_of(tokenizer)
        tokenizer = load_pretrained_tokenizer(student.tokenizer, key, how)
    return TrainingInputs(
        learned(examples), validation_examples, tokenizer, max_length, work_dir, keeps
    )


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
    named = teachers_named(written.examples)
    if named and on_policy and on_policy.share:
        raise ValueError(
            f"distillation.on_policy.share is above 0, but row {next(iter(named))} names its "
            f"teacher ('{next(iter(named.values()))}'), and all teachers together judge what a "
            "student samples: set it to 0"
        )
    prompts = teacher_prompts(written.examples, written.tokenizer)
    source = targets.source(rows, written.tokenizer, teachers, written.max_length, named, prompts)
    sampled = None
    if on_policy and on_policy.share:
        precision = targets.manifest["precision"]
        judge = live_teacher(teachers, written.tokenizer, precision, prompts)
        sampled = _on_policy(written.tokenizer, judge, on_policy)
    return replace(written, targets=source, on_policy=sampled)


def student_inputs(
    data: tuple[pd.DataFrame, pd.DataFrame, Any],
    teacher: LanguageModel,
    teacher_targets: TeacherTargets,
    asked: StudentSettings,
    work_dir: Path,
    *,
    keeps: bool = False,
) -> "TrainingInputs":
    """Return what a student learns from: with its teacher, where its objective asks for one."""
    written = reference_inputs(*data, asked.student, asked.max_length, work_dir, keeps=keeps)
    asks = asked.objective is not None and asked.objective.asks_teacher
    return taught_inputs(written, teacher, teacher_targets if asks else None, asked.on_policy)


@dataclass
class SeedTrainer:
    """Trains the students of further seeds and their twins, each by its name, in any process.

    Attributes:
        data: Examples that students learn from, those of validation, the teacher's tokenizer.
        teacher: The teacher with its ensemble.
        targets: What was captured of it, or that it is asked live.
        start_student: What students begin as, where that is a part of the teacher.
        settings: What is asked of each, by name.
        work_dir: Folder of these trainings alone: those that ended are kept there.
    """

    data: tuple[pd.DataFrame, pd.DataFrame, Any]
    teacher: LanguageModel
    targets: TeacherTargets
    start_student: Start
    settings: Mapping[str, StudentSettings]
    work_dir: Path

    def __call__(self, name: str) -> tuple[LanguageModel, History]:
        """Train one and return it with its history."""
        asked = self.settings[name]
        inputs = self._taught if asked.objective is not None else self._alone
        compute = None if asked.patience is None else self._compute
        return train_one(inputs, self.start_student, asked, name, compute=compute)

    @cached_property
    def _taught(self) -> "TrainingInputs":
        asked = self._first(lambda each: each.objective is not None)
        return student_inputs(
            self.data, self.teacher, self.targets, asked, self.work_dir, keeps=True
        )

    @cached_property
    def _alone(self) -> "TrainingInputs":
        asked = self._first(lambda each: each.objective is None)
        examples, validation, tokenizer = self.data
        own = (reference_examples(examples), validation, tokenizer)
        return reference_inputs(*own, asked.student, asked.max_length, self.work_dir, keeps=True)

    @cached_property
    def _compute(self) -> "Compute":
        asked = self._first(lambda each: each.patience is not None)
        return compute_of(self.data, self.teacher, self.targets, asked)

    def _first(self, is_meant: Callable[[StudentSettings], bool]) -> StudentSettings:
        return next(each for each in self.settings.values() if is_meant(each))


def compute_of(
    data: tuple[pd.DataFrame, pd.DataFrame, Any],
    teacher: LanguageModel,
    targets: TeacherTargets,
    asked: StudentSettings,
) -> "Compute":
    """Return the compute that a distillation takes, of which a patient twin has all.

    Of the teachers it is what their trainings really read, of the student what its budget is. What
    they write themselves (sequence_level, on_policy) is left out.

    Args:
        data: Examples that students learn from, those of validation, the teacher's tokenizer.
        teacher: The teacher with its ensemble.
        targets: What was captured of it, or that it is asked live.
        asked: What is asked of the patient twin.
    """
    from kd_kedro.training.planning.compute import compute_taken, planned_tokens

    examples, _, tokenizer = data
    taught = encode_for_teacher(learned(examples), tokenizer, asked.max_length)
    written = encode_for_teacher(reference_examples(examples), tokenizer, asked.max_length)
    own = reference_inputs(*data, asked.student, asked.max_length, targets.store)
    tokens = planned_tokens(
        encode_examples(own.examples, own.tokenizer, asked.max_length), asked.training
    )
    captured = float(sum(len(row.input_ids) for row in taught))
    live = 0.0
    if targets.manifest["source"] == "live":  # at every step, of each row what it has of contexts
        rows = encode_examples(learned(examples), tokenizer, asked.max_length)
        live = tokens * captured / sum(len(row.input_ids) for row in rows)
    asks = asked.patience is not None and asked.patience.asks_teacher
    return compute_taken(
        [model for model, _ in teachers_of(teacher)],
        written,
        asked=(live or captured) if asks else 0.0,
        tokens=tokens,
    )


def train_one(
    inputs: "TrainingInputs",
    start_student: Start,
    settings: StudentSettings,
    name: str,
    on_evaluation: OnEvaluation | None = None,
    compute: "Compute | None" = None,
) -> tuple[LanguageModel, History]:
    """Train one student, or a twin of it where there is no objective.

    Where the student begins with weights of the teacher, the baseline has their shape alone.

    Args:
        inputs: What it learns from.
        start_student: What it begins as, where that is a part of the teacher; it is left as it is.
        settings: What it is and what it is asked.
        name: What its card and its progress bar say.
        on_evaluation: Function of step and validation loss; its error ends the training.
        compute: Compute that a patient twin has.
    """
    from kd_kedro.training.loop.model_training import train_model

    model = make_student(settings.student, inputs, settings.seed, start_student, settings.start)
    trained, history = train_model(
        model,
        inputs,
        _training(settings, model, compute),
        settings.objective or ObjectiveConfig(),
        seed=settings.seed,
        name=name,
        origin=origin_of(settings.student, settings.start),
        on_evaluation=on_evaluation,
    )
    begun = card_of_start(start_student) if settings.start else {}
    return replace(trained, card={**trained.card, **begun}), history


def _training(settings: StudentSettings, model: Any, compute: "Compute | None") -> TrainingConfig:
    from kd_kedro.models.build import size_card
    from kd_kedro.training.planning.compute import patient_training

    if settings.patience is None or compute is None:
        return settings.training
    tokens = compute.patient_tokens(size_card(model)["parameters"])[settings.patience.account]
    changed = patient_training(settings.training, tokens, compute.tokens)
    return settings.training.model_copy(update=changed)


def _on_policy(tokenizer: Any, judge: "LiveTeacher", params: OnPolicyConfig) -> "OnPolicy":
    """Return how a student samples answers, which its teachers judge live."""
    from kd_kedro.models.encoding import pad_token_id
    from kd_kedro.training.loop.on_policy import OnPolicy

    return OnPolicy(
        judge,
        params,
        end=tokenizer.eos_token_id,
        padding=pad_token_id(tokenizer),
    )
