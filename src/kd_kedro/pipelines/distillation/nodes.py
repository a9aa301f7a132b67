"""Nodes of the distillation pipeline: rows become tokens here, `training` does the rest."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

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
from kd_kedro.training.language_model import LanguageModel  # imports nothing heavy

if TYPE_CHECKING:  # torch and transformers would make every kedro command slow
    from kd_kedro.training.examples import Example
    from kd_kedro.training.objective import Objective
    from kd_kedro.training.targets import TargetSource

History = list[dict[str, float]]
Rows = list[tuple[str, str, str]]  # row_id, question, answer
OnEvaluation = Callable[[int, float], None] | None


def train_tokenizer(
    augmented_qa: pd.DataFrame, examples: ExampleParams, params: TokenizerParams
) -> Any:
    """Train a tokenizer on the text of the train split alone, or load a pretrained one."""
    from kd_kedro.training.examples import TEMPLATE
    from kd_kedro.training.tokenization import load_pretrained_tokenizer, train_byte_bpe

    if params.pretrained:
        return load_pretrained_tokenizer(params.pretrained)
    rows = _training_rows(augmented_qa, examples)
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

    model = _make_model(
        params, tokenizer, examples.max_length, params.seed, "distillation.teacher", params.dtype
    )
    if not params.fine_tune:
        card = _card(model, "teacher", examples, params.seed, params.pretrained)
        return _language_model(model, tokenizer, card), []
    return _train(
        model,
        tokenizer,
        augmented_qa,
        examples,
        params.training,
        Objective(),
        None,
        params.seed,
        training_work_dir,
        "teacher",
        params.pretrained,
    )


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

    rows = _training_rows(augmented_qa, examples)
    settings = params.model_dump() | {"precision": resolve_precision(params.precision)}
    teachers = [(teacher, 1.0)]
    return capture(
        teachers,
        _encode(rows, tokenizer, examples),
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
    from kd_kedro.training.objective import Objective

    return train_one(
        augmented_qa,
        tokenizer,
        examples,
        student,
        training,
        Objective(),
        None,
        seed,
        training_work_dir,
        "baseline",
    )


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
    targets = open_capture(
        augmented_qa, tokenizer, teacher, teacher_targets, target_store, examples
    )
    return train_one(
        augmented_qa,
        tokenizer,
        examples,
        student,
        training,
        _objective(objective),
        targets,
        seed,
        training_work_dir,
        "student",
    )


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
    from kd_kedro.training.objective import Objective

    targets = open_capture(
        augmented_qa, tokenizer, teacher, teacher_targets, target_store, examples
    )
    kinds = {"baseline": (Objective(), None), "student": (_objective(objective), targets)}
    models: dict[str, LanguageModel] = {}
    histories: History = []
    for seed in range(seeds.first + 1, seeds.first + seeds.count):
        for kind, (goal, source) in kinds.items():
            name = f"{kind}_{seed}"
            models[name], history = train_one(
                augmented_qa,
                tokenizer,
                examples,
                student,
                training,
                goal,
                source,
                seed,
                training_work_dir,
                name,
            )
            histories += [_prefixed(name, record) for record in history]
    return models, histories


def train_one(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    examples: ExampleParams,
    student: StudentParams,
    training: TrainingParams,
    objective: "Objective",
    targets: "TargetSource | None",
    seed: int,
    work_dir: Path,
    name: str,
    on_evaluation: OnEvaluation = None,
) -> tuple[LanguageModel, History]:
    """Train one student; `on_evaluation` is told step and validation loss and may end it."""
    model = _make_model(
        student, tokenizer, examples.max_length, seed, "distillation.student", "float32"
    )
    return _train(
        model,
        tokenizer,
        augmented_qa,
        examples,
        training,
        objective,
        targets,
        seed,
        work_dir,
        name,
        student.pretrained,
        on_evaluation,
    )


def _train(
    model: Any,
    tokenizer: Any,
    augmented_qa: pd.DataFrame,
    examples: ExampleParams,
    training: TrainingParams,
    objective: "Objective",
    targets: "TargetSource | None",
    seed: int,
    work_dir: Path,
    name: str,
    origin: str,
    on_evaluation: OnEvaluation = None,
) -> tuple[LanguageModel, History]:
    from kd_kedro.training.examples import pad_token_id
    from kd_kedro.training.trainer import TrainingSettings, train

    history = train(
        model,
        _encode(_training_rows(augmented_qa, examples), tokenizer, examples),
        _encode(_validation_rows(augmented_qa, examples), tokenizer, examples),
        objective=objective,
        targets=targets,
        settings=TrainingSettings(**training.model_dump()),
        seed=seed,
        padding=pad_token_id(tokenizer),
        work_dir=work_dir,
        description=name,
        on_evaluation=on_evaluation,
    )
    card = {
        **_card(model, name, examples, seed, origin),
        **_training_card(training, objective, targets, history),
    }
    return _language_model(model, tokenizer, card), history


def _make_model(
    params: TeacherParams | StudentParams,
    tokenizer: Any,
    max_length: int,
    seed: int,
    key: str,
    dtype: str,
) -> Any:
    from kd_kedro.training.models import Architecture, new_model, pretrained_model

    if params.pretrained:
        return pretrained_model(params.pretrained, f"{key}.pretrained", tokenizer, dtype)
    architecture = Architecture(**params.architecture.model_dump())
    return new_model(architecture, tokenizer, max_length, seed)


def open_capture(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    teacher_targets: dict[str, Any],
    target_store: Path,
    examples: ExampleParams,
) -> "TargetSource":
    """Open the captured targets; refuse those of other rows or another tokenizer or teacher."""
    from kd_kedro.training.target_store import identity, open_targets

    rows = _training_rows(augmented_qa, examples)
    belongs_to = identity(rows, tokenizer, [(teacher, 1.0)], examples.max_length)
    return open_targets(teacher_targets, target_store, belongs_to)


def _objective(params: ObjectiveParams) -> "Objective":
    from kd_kedro.training.objective import Objective

    return Objective(**params.model_dump())


def _encode(rows: Rows, tokenizer: Any, examples: ExampleParams) -> "Sequence[Example]":
    from kd_kedro.training.examples import encode

    row_ids, questions, answers = zip(*rows, strict=True) if rows else ((), (), ())
    return encode(tokenizer, row_ids, questions, answers, examples.max_length)


def _training_rows(augmented_qa: pd.DataFrame, examples: ExampleParams) -> Rows:
    chosen = augmented_qa[
        (augmented_qa["split"] == "train") & augmented_qa["version"].isin(examples.versions)
    ]
    original = chosen["version"] == "original"
    others = _by_hash(_triples(chosen[~original]), examples.augmented_rows)
    rows = [*_triples(chosen[original]), *others]
    if not rows:
        raise ValueError(
            "augmented_qa has no row in split train of the versions "
            f"{', '.join(examples.versions)}; distillation needs rows to train on"
        )
    if chosen["row_id"].duplicated().any():
        twice = chosen["row_id"][chosen["row_id"].duplicated()].iloc[0]
        raise ValueError(f"augmented_qa has the row_id {twice} twice; make augmented_qa again")
    return rows


def _validation_rows(augmented_qa: pd.DataFrame, examples: ExampleParams) -> Rows:
    rows = _triples(augmented_qa[augmented_qa["split"] == "validation"])
    return _by_hash(rows, examples.validation_rows)


def _by_hash(rows: Rows, count: int) -> Rows:
    """Return at most `count` rows, a choice that follows neither the sheet's order nor a seed."""
    return sorted(rows, key=lambda row: hashlib.sha256(row[0].encode()).digest())[:count]


def _triples(table: pd.DataFrame) -> Rows:
    columns = (table[name].astype(str) for name in ("row_id", "question", "answer"))
    return list(zip(*columns, strict=True))


def _card(model: Any, name: str, examples: ExampleParams, seed: int, origin: str) -> dict[str, Any]:
    from kd_kedro.training.fingerprints import weights_fingerprint
    from kd_kedro.training.models import size_card

    return {
        "name": name,
        # Reports and model cards travel: a folder is named, not where it lies on this machine.
        "origin": (Path(origin).name if Path(origin).is_dir() else origin) or "made in this run",
        "seed": seed,
        **size_card(model),
        "max_length": examples.max_length,
        "weights": weights_fingerprint(model),
    }


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


def _language_model(model: Any, tokenizer: Any, card: dict[str, Any]) -> LanguageModel:
    return LanguageModel(model.eval(), tokenizer, card)


def _prefixed(name: str, record: dict[str, float]) -> dict[str, float]:
    return {key if key == "step" else f"{name}.{key}": value for key, value in record.items()}
