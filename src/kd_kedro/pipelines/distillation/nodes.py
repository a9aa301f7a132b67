"""Nodes of the distillation pipeline: rows become tokens here, `training` does the rest."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from kd_kedro.generation.llm.reply_defects import answer_defect
from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.metrics.scores.exact_match import exact_match, gradable
from kd_kedro.models.causal_lm import LanguageModel  # imports nothing heavy
from kd_kedro.pipelines.distillation.comparison_params import ControlParams, SeedParams
from kd_kedro.pipelines.distillation.examples import Rows, encode_rows, student_rows, training_rows
from kd_kedro.pipelines.distillation.lessons import (
    History,
    Lesson,
    baseline_lesson,
    make_lesson,
    student_lesson,
    teachers_of,
    train_model,
    train_one,
    with_card,
)
from kd_kedro.pipelines.distillation.models import make_model, make_student, origin_of
from kd_kedro.pipelines.distillation.params import (
    EnsembleParams,
    ExampleParams,
    ObjectiveParams,
    OnPolicyParams,
    SequenceLevelParams,
    StudentParams,
    TargetParams,
    TeacherParams,
    TokenizerParams,
    TrainingParams,
)

logger = logging.getLogger(__name__)

ANSWER_COLUMNS = ["row_id", "question", "answer", "outcome", "reason"]


def train_tokenizer(
    augmented_qa: pd.DataFrame, examples: ExampleParams, params: TokenizerParams
) -> Any:
    """Train a tokenizer on the text of the train split alone, or load a pretrained one."""
    from kd_kedro.models.encoding import TEMPLATE
    from kd_kedro.models.tokenization import load_pretrained_tokenizer, train_byte_bpe

    if params.pretrained:
        return load_pretrained_tokenizer(params.pretrained, "distillation.tokenizer.pretrained")
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
    lesson = make_lesson(augmented_qa, tokenizer, examples, training_work_dir)
    return _make_teacher(lesson, params, "teacher", "distillation.teacher")


def train_further_teachers(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    examples: ExampleParams,
    params: TeacherParams,
    ensemble: EnsembleParams,
    training_work_dir: Path,
) -> tuple[dict[str, LanguageModel], History]:
    """Make the other teachers of an ensemble; each card has its share of the probability."""
    lesson = make_lesson(augmented_qa, tokenizer, examples, training_work_dir)
    described = {
        f"seed_{seed}": (params.model_copy(update={"seed": seed}), "distillation.teacher")
        for seed in ensemble.seeds
    } | {
        f"pretrained_{number}": (
            params.model_copy(update={"pretrained": name, "fine_tune": False}),
            f"distillation.ensemble.pretrained.{number}",
        )
        for number, name in enumerate(ensemble.pretrained)
    }
    teachers: dict[str, LanguageModel] = {}
    histories: History = []
    for (name, (own, key)), share in zip(described.items(), ensemble.shares, strict=True):
        teacher, history = _make_teacher(lesson, own, f"teacher_{name}", key)
        teachers[name] = replace(teacher, card={**teacher.card, "share": share})
        histories += [_prefixed(name, record) for record in history]
    return teachers, histories


def write_teacher_answers(
    augmented_qa: pd.DataFrame,
    teacher: LanguageModel,
    text_generator: TextGenerator,
    examples: ExampleParams,
    params: SequenceLevelParams,
) -> pd.DataFrame:
    """Let a teacher answer the training questions (Kim and Rush, 2016, arXiv:1606.07947).

    Returns:
        `teacher_answers`: row_id, question, answer, outcome (only `ok` is trained on) and reason.
    """
    rows = training_rows(augmented_qa, examples)
    if params.source == "none":
        return pd.DataFrame([], columns=ANSWER_COLUMNS, dtype="str")
    by_model = params.source == "teacher"
    made = _ask_teacher(rows, teacher, params) if by_model else _ask(rows, text_generator, params)
    records = []
    for (row_id, question, written), (answer, outcome, reason) in zip(rows, made, strict=True):
        judged = (outcome, reason)
        differs = gradable(written) and not exact_match(answer, written)
        if outcome == "ok" and params.must_match and differs:
            judged = ("rejected", "differs from the written answer, which can be graded")
        records.append((row_id, question, answer, *judged))
    counts = Counter(f"{outcome} ({reason})" for *_, outcome, reason in records if outcome != "ok")
    logger.info(
        "teacher_answers: %d of %d can be learned from%s",
        len(records) - sum(counts.values()),
        len(records),
        "".join(f"; {count} {why}" for why, count in counts.most_common(5)),
    )
    return pd.DataFrame(records, columns=ANSWER_COLUMNS, dtype="str")


def capture_targets(
    augmented_qa: pd.DataFrame,
    teacher_answers: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    further_teachers: Mapping[str, LanguageModel],
    examples: ExampleParams,
    sequence_level: SequenceLevelParams,
    params: TargetParams,
    target_store: Path,
) -> dict[str, Any]:
    """Read the teachers once over the answers that students learn from; return the manifest.

    Where they are to be asked live, the manifest says who they are and nothing is captured.
    """
    from kd_kedro.models.precision import resolve_precision
    from kd_kedro.storage.fingerprints import settings_fingerprint
    from kd_kedro.training.teacher.capture import CaptureSettings, capture
    from kd_kedro.training.teacher.store import identity

    rows = student_rows(training_rows(augmented_qa, examples), teacher_answers, sequence_level)
    teachers = teachers_of(teacher, further_teachers)
    belongs_to = identity(rows, tokenizer, teachers, examples.max_length)
    precision = resolve_precision(params.precision)
    if params.source == "live":
        manifest = {**belongs_to, "source": "live", "precision": precision}
        return {**manifest, "fingerprint": settings_fingerprint(manifest)}
    return capture(
        teachers,
        encode_rows(rows, tokenizer, examples.max_length),
        belongs_to,
        target_store,
        CaptureSettings(**params.model_dump() | {"precision": precision}),
    )


def train_baseline(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    examples: ExampleParams,
    student: StudentParams,
    training: TrainingParams,
    seed: int,
    training_work_dir: Path,
) -> tuple[LanguageModel, History]:
    """Train the student's twin: same size, adapter, seed and budget, without the teacher.

    It learns from the written answers alone, whatever a teacher wrote (sequence_level). Where the
    student is made of the teacher's layers, the twin has their shape and random weights.
    """
    lesson = baseline_lesson(augmented_qa, tokenizer, teacher, examples, student, training_work_dir)
    return train_one(lesson, student, training, None, seed, "baseline")


def train_student(
    augmented_qa: pd.DataFrame,
    teacher_answers: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    further_teachers: Mapping[str, LanguageModel],
    teacher_targets: dict[str, Any],
    target_store: Path,
    examples: ExampleParams,
    sequence_level: SequenceLevelParams,
    student: StudentParams,
    training: TrainingParams,
    objective: ObjectiveParams,
    on_policy: OnPolicyParams,
    seed: int,
    training_work_dir: Path,
) -> tuple[LanguageModel, History]:
    """Train a student on the written answers and on the teacher's captured targets."""
    written = baseline_lesson(
        augmented_qa, tokenizer, teacher, examples, student, training_work_dir
    )
    teachers = teachers_of(teacher, further_teachers)
    targets = teacher_targets if objective.asks_teacher else {}
    lesson = student_lesson(
        written, teacher_answers, sequence_level, teachers, targets, target_store, on_policy
    )
    return train_one(lesson, student, training, objective, seed, "student")


def train_seeds(
    augmented_qa: pd.DataFrame,
    teacher_answers: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    further_teachers: Mapping[str, LanguageModel],
    teacher_targets: dict[str, Any],
    target_store: Path,
    examples: ExampleParams,
    sequence_level: SequenceLevelParams,
    student: StudentParams,
    training: TrainingParams,
    objective: ObjectiveParams,
    on_policy: OnPolicyParams,
    seeds: SeedParams,
    training_work_dir: Path,
) -> tuple[dict[str, LanguageModel], History]:
    """Train baseline and student again with every seed after the first, from the same targets."""
    if seeds.count == 1:
        return {}, []
    written = baseline_lesson(
        augmented_qa, tokenizer, teacher, examples, student, training_work_dir
    )
    teachers = teachers_of(teacher, further_teachers)
    targets = teacher_targets if objective.asks_teacher else {}
    lesson = student_lesson(
        written, teacher_answers, sequence_level, teachers, targets, target_store, on_policy
    )
    kinds = (("baseline", written, None), ("student", lesson, objective))
    models: dict[str, LanguageModel] = {}
    histories: History = []
    for seed in range(seeds.first + 1, seeds.first + seeds.count):
        for kind, taught, goal in kinds:
            name = f"{kind}_{seed}"
            models[name], history = train_one(taught, student, training, goal, seed, name)
            histories += [_prefixed(name, record) for record in history]
    return models, histories


def train_controls(
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    examples: ExampleParams,
    params: TeacherParams,
    student: StudentParams,
    controls: ControlParams,
    seed: int,
    training_work_dir: Path,
) -> tuple[dict[str, LanguageModel], History]:
    """Make what the students are compared with: the student untrained, and a second teacher.

    The second teacher differs from the first by its seed alone. There is none where it is not
    asked for, or where the teacher is taken as it is, so that a seed changes nothing.
    """
    lesson = baseline_lesson(augmented_qa, tokenizer, teacher, examples, student, training_work_dir)
    model = make_student(student, lesson.tokenizer, lesson.max_length, seed, lesson.teacher, True)
    untrained = with_card(model, lesson, seed, "untrained", origin_of(student, True))
    if controls.teacher_seed is None or not params.fine_tune:
        return {"untrained": untrained}, []
    lesson = make_lesson(augmented_qa, tokenizer, examples, training_work_dir)
    other = params.model_copy(update={"seed": controls.teacher_seed})
    floor, history = _make_teacher(lesson, other, "floor_teacher", "distillation.teacher")
    return {"untrained": untrained, "floor_teacher": floor}, history


def merge_student(student: LanguageModel) -> LanguageModel | dict[str, LanguageModel]:
    """Return the student as a plain model that needs no peft; nothing where it is one already."""
    from kd_kedro.models.adapters import is_adapted, merged
    from kd_kedro.models.build import size_card
    from kd_kedro.storage.fingerprints import weights_fingerprint

    if not is_adapted(student.model):
        return {}
    model = merged(student.model)
    card = {name: value for name, value in student.card.items() if name != "adapter"}
    card |= {"name": "merged_student", **size_card(model), "weights": weights_fingerprint(model)}
    return LanguageModel(model, student.tokenizer, card)


def _make_teacher(
    lesson: Lesson, params: TeacherParams, name: str, key: str
) -> tuple[LanguageModel, History]:
    from kd_kedro.training.loop.objective import Objective

    model = make_model(params, lesson.tokenizer, lesson.max_length, params.seed, key, params.dtype)
    made = (params.seed, name, params.pretrained)
    if not params.fine_tune:
        return with_card(model, lesson, *made), []
    return train_model(model, lesson, params.training, Objective(), *made)


def _ask_teacher(
    rows: Rows, teacher: LanguageModel, params: SequenceLevelParams
) -> list[tuple[str, str, str]]:
    """Return answer, outcome and reason of each row."""
    from kd_kedro.inference.generate import write_answers

    questions = [question for _, question, _ in rows]
    sizes = {"max_new_tokens": params.max_new_tokens, "batch_size": params.batch_size}
    made = []
    for question, (text, whole) in zip(
        questions, write_answers(teacher, questions, **sizes), strict=True
    ):
        defect = (
            answer_defect(question, text) if whole else "cut off at max_new_tokens or max_length"
        )
        made.append((text, "rejected" if defect else "ok", defect or "teacher"))
    return made


def _ask(
    rows: Rows, text_generator: TextGenerator, params: SequenceLevelParams
) -> list[tuple[str, str, str]]:
    requests = [Request("answer", question, {}, params.seed) for _, question, _ in rows]
    outcomes = text_generator.generate(requests)
    return [
        (outcome.text if outcome.status == "ok" else "", outcome.status, outcome.reason)
        for outcome in outcomes
    ]


def _prefixed(name: str, record: dict[str, float]) -> dict[str, float]:
    return {key if key == "step" else f"{name}.{key}": value for key, value in record.items()}
