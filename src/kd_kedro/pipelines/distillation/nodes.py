"""Nodes of the distillation pipeline: rows become tokens here, `training` does the rest."""

from pathlib import Path
from typing import Any

import pandas as pd

from kd_kedro.pipelines.distillation.lessons import (
    History,
    make_lesson,
    make_model,
    open_capture,
    train_model,
    train_one,
    with_card,
)
from kd_kedro.pipelines.distillation.params import (
    ExampleParams,
    ObjectiveParams,
    SeedParams,
    StudentParams,
    TargetParams,
    TeacherParams,
    TokenizerParams,
    TrainingParams,
)
from kd_kedro.pipelines.distillation.rows import encode_rows, training_rows
from kd_kedro.training.language_model import LanguageModel  # imports nothing heavy


def train_tokenizer(
    augmented_qa: pd.DataFrame, examples: ExampleParams, params: TokenizerParams
) -> Any:
    """Train a tokenizer on the text of the train split alone, or load a pretrained one."""
    from kd_kedro.training.examples import TEMPLATE
    from kd_kedro.training.tokenization import load_pretrained_tokenizer, train_byte_bpe

    if params.pretrained:
        return load_pretrained_tokenizer(params.pretrained)
    rows = training_rows(augmented_qa, examples)
    # The template is in every text, so that its words become tokens of their own.
    prompts = (TEMPLATE.format(question=question) for _, question, _ in rows)
    answers = (f" {answer}" for _, _, answer in rows)
    return train_byte_bpe([*prompts, *answers], params.vocabulary, params.min_frequency)


def train_teacher(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    examples: ExampleParams,
    params: TeacherParams,
    training_work_dir: Path,
) -> tuple[LanguageModel, History]:
    """Make or load the teacher, and fine-tune it on the answers of the train split."""
    from kd_kedro.training.objective import Objective

    lesson = make_lesson(augmented_qa, tokenizer, examples, training_work_dir)
    model = make_model(params, lesson, params.seed, "distillation.teacher", params.dtype)
    made = (params.seed, "teacher", params.pretrained)
    if not params.fine_tune:
        return with_card(model, lesson, *made), []
    return train_model(model, lesson, params.training, Objective(), None, *made)


def capture_targets(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    examples: ExampleParams,
    params: TargetParams,
    target_store: Path,
) -> dict[str, Any]:
    """Read the teacher once over the answers of the training rows; return the manifest."""
    from kd_kedro.training.precision import resolve_precision
    from kd_kedro.training.target_capture import CaptureSettings, capture
    from kd_kedro.training.target_store import identity

    rows = training_rows(augmented_qa, examples)
    settings = params.model_dump() | {"precision": resolve_precision(params.precision)}
    teachers = [(teacher, 1.0)]
    return capture(
        teachers,
        encode_rows(rows, tokenizer, examples.max_length),
        identity(rows, tokenizer, teachers, examples.max_length),
        target_store,
        CaptureSettings(**settings),
    )


def train_baseline(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    examples: ExampleParams,
    student: StudentParams,
    training: TrainingParams,
    seed: int,
    training_work_dir: Path,
) -> tuple[LanguageModel, History]:
    """Train the student's twin: same size, seed, budget and row order, without the teacher."""
    lesson = make_lesson(augmented_qa, tokenizer, examples, training_work_dir)
    return train_one(lesson, student, training, None, None, seed, "baseline")


def train_student(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    teacher_targets: dict[str, Any],
    target_store: Path,
    examples: ExampleParams,
    student: StudentParams,
    training: TrainingParams,
    objective: ObjectiveParams,
    seed: int,
    training_work_dir: Path,
) -> tuple[LanguageModel, History]:
    """Train a student on the written answers and on the teacher's captured targets."""
    lesson = make_lesson(augmented_qa, tokenizer, examples, training_work_dir)
    targets = open_capture(lesson, teacher, teacher_targets, target_store)
    return train_one(lesson, student, training, objective, targets, seed, "student")


def train_seeds(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    teacher_targets: dict[str, Any],
    target_store: Path,
    examples: ExampleParams,
    student: StudentParams,
    training: TrainingParams,
    objective: ObjectiveParams,
    seeds: SeedParams,
    training_work_dir: Path,
) -> tuple[dict[str, LanguageModel], History]:
    """Train baseline and student again with every seed after the first, from the same targets."""
    lesson = make_lesson(augmented_qa, tokenizer, examples, training_work_dir)
    targets = open_capture(lesson, teacher, teacher_targets, target_store)
    models: dict[str, LanguageModel] = {}
    histories: History = []
    for seed in range(seeds.first + 1, seeds.first + seeds.count):
        for kind, goal, source in (("baseline", None, None), ("student", objective, targets)):
            name = f"{kind}_{seed}"
            models[name], history = train_one(lesson, student, training, goal, source, seed, name)
            histories += [_prefixed(name, record) for record in history]
    return models, histories


def _prefixed(name: str, record: dict[str, float]) -> dict[str, float]:
    return {key if key == "step" else f"{name}.{key}": value for key, value in record.items()}
