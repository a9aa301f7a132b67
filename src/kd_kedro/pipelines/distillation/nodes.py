"""Nodes of the distillation pipeline: examples are chosen, models are made and trained."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.metrics.report.evidence import CUT_UNTAUGHT, FLOOR, PRETRAINED
from kd_kedro.models.causal_lm import FIRST, LanguageModel
from kd_kedro.pipelines.distillation.models import (
    Start,
    card_of_start,
    make_model,
    make_student,
    origin_of,
    served_card,
)
from kd_kedro.pipelines.distillation.params import (
    EnsembleParams,
    ExampleParams,
    TeacherParams,
    TokenizerParams,
)
from kd_kedro.pipelines.distillation.students import (
    SeedTrainer,
    reference_inputs,
    student_inputs,
    train_one,
)
from kd_kedro.pipelines.distillation.training_groups import (
    ControlSettings,
    SeedSettings,
    Settings,
    StudentSettings,
)
from kd_kedro.training.contexts import encode_for_teacher, teacher_length, teacher_prompts
from kd_kedro.training.examples import (
    asked_of,
    check_teachers,
    choose_training_examples,
    choose_validation_examples,
    learned,
    teachers_named,
    triples,
)
from kd_kedro.training.loop.training_config import History, ObjectiveConfig
from kd_kedro.training.side_by_side import side_by_side
from kd_kedro.training.teacher.capture_config import NOTHING, CaptureConfig
from kd_kedro.training.teacher.targets import TeacherTargets, teachers_of

if TYPE_CHECKING:
    from kd_kedro.training.loop.model_training import TrainingInputs


def choose_examples(
    augmented_qa: pd.DataFrame, params: ExampleParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose what is learned from and what early stopping looks at, once for all nodes."""
    return (
        choose_training_examples(
            augmented_qa,
            params.styles,
            params.max_augmented_rows,
            params.fields,
            all_turns=params.turns == "all",
        ),
        choose_validation_examples(augmented_qa, params.validation_rows, params.fields),
    )


def train_tokenizer(
    training_examples: pd.DataFrame, params: TokenizerParams, examples: ExampleParams
) -> Any:
    """Train a tokenizer on the text of the train split alone, or load a pretrained one.

    It asks in the format of the parameters.
    """
    from kd_kedro.models.prompt_format import give_format, prompt_text
    from kd_kedro.models.tokenization import load_pretrained_tokenizer, train_byte_bpe

    key, how = "distillation.tokenizer.pretrained", examples.prompt_format
    if params.pretrained:
        return load_pretrained_tokenizer(params.pretrained, key, how)
    # The template is in every text, so that its words become tokens of their own.
    prompts = [prompt_text(each, how.template) for each in asked_of(training_examples)]
    answers = [f" {answer}" for answer in training_examples["answer"]]
    made = train_byte_bpe([*prompts, *answers], params.vocab_size, params.min_frequency)
    return give_format(made, how, key)


def train_teacher(
    training_examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    tokenizer: Any,
    params: TeacherParams,
    ensemble: EnsembleParams,
    max_length: int,
    training_work_dir: Path,
) -> tuple[LanguageModel, History]:
    """Make or load the teacher and the others of its ensemble, and fine-tune them.

    Each of the others has its share of the probability in its card, and its name in the history.
    They read the contexts of examples, and have positions for them.
    Of a teacher behind a server there is a tokenizer alone.
    """
    from kd_kedro.training.loop.checkpoints import several_trainings
    from kd_kedro.training.loop.model_training import TrainingInputs

    others = _described(params, ensemble)
    check_teachers(training_examples, [FIRST, *others])
    if params.served:
        return LanguageModel(None, tokenizer, served_card(max_length)), []
    data = (training_examples, validation_examples, tokenizer)
    with several_trainings(training_work_dir, "teachers") as folder:
        inputs = teacher_inputs(TrainingInputs(*data, max_length, folder, keeps=True))
        teacher, history = _make_teacher(inputs, params, "teacher", "distillation.teacher")
        members = {}
        for (name, (own, key)), share in zip(others.items(), ensemble.shares, strict=True):
            member, further = _make_teacher(inputs, own, f"teacher_{name}", key)
            members[name] = replace(member, card={**member.card, "share": share})
            history = [*history, *(_prefixed(name, record) for record in further)]
    return replace(teacher, ensemble=members), history


def capture_targets(
    student_examples: pd.DataFrame,
    tokenizer: Any,
    teacher: LanguageModel,
    params: CaptureConfig,
    max_length: int,
    target_store: Path,
) -> TeacherTargets:
    """Read the teachers once over the answers that students learn from, each row's own alone.

    They read the context of an example, which its student never does, before the same answer. Where
    they are to be asked live, the manifest says who they are and nothing is captured. Where
    no student asks for targets, no teacher is read, and the manifest says that there are none.
    """
    from kd_kedro.models.precision import resolve_precision
    from kd_kedro.storage.fingerprints import settings_fingerprint
    from kd_kedro.training.teacher.capture import capture
    from kd_kedro.training.teacher.store import identity

    if params.capture is False:
        return TeacherTargets({"source": NOTHING}, target_store)
    examples, teachers = learned(student_examples), teachers_of(teacher)
    named = teachers_named(examples)
    if named and params.source == "live":
        raise ValueError(
            f"distillation.targets.source is live, but row {next(iter(named))} names its teacher "
            f"('{next(iter(named.values()))}'): all teachers are asked together at every step, so "
            "take another source"
        )
    belongs_to = identity(triples(examples), tokenizer, teachers, max_length, named)
    precision = resolve_precision(params.precision)
    if params.source == "live":
        manifest = {**belongs_to, "source": "live", "precision": precision}
        manifest |= {"fingerprint": settings_fingerprint(manifest)}
        return TeacherTargets(manifest, target_store)
    manifest = capture(
        teachers,
        encode_for_teacher(examples, tokenizer, max_length),
        belongs_to,
        target_store,
        params.model_copy(update={"precision": precision}),
        {row: (name, teacher.named(name).members) for row, name in named.items()},
    )
    return TeacherTargets(manifest, target_store)


def train_baseline(
    examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    tokenizer: Any,
    start_student: Start,
    settings: Settings,
    training_work_dir: Path,
) -> tuple[LanguageModel, History]:
    """Train the student's twin: same size, adapter, seed and budget, without the teacher.

    It learns from the reference answers alone, whatever a teacher wrote (sequence_level). Where the
    student is made of the teacher's layers, the twin has their shape and random weights.
    """
    asked = StudentSettings.model_validate(settings)
    data = (examples, validation_examples, tokenizer)
    inputs = reference_inputs(*data, asked.student, asked.max_length, training_work_dir)
    return train_one(inputs, start_student, asked, "baseline")


def train_student(
    examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    teacher: LanguageModel,
    teacher_targets: TeacherTargets,
    start_student: Start,
    settings: Settings,
    training_work_dir: Path,
) -> tuple[LanguageModel, History]:
    """Train a student on the examples' answers and on what was captured of the teacher."""
    asked = StudentSettings.model_validate(settings)
    data = (examples, validation_examples, teacher.tokenizer)
    inputs = student_inputs(data, teacher, teacher_targets, asked, training_work_dir)
    return train_one(inputs, start_student, asked, "student")


def train_seeds(
    examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    teacher: LanguageModel,
    teacher_targets: TeacherTargets,
    start_student: Start,
    settings: Settings,
    training_work_dir: Path,
) -> tuple[dict[str, LanguageModel], History]:
    """Train baseline and student again with every seed after the first, from the same targets.

    And patient twins of every seed: baselines with all the compute of teacher, capture and student.
    """
    from kd_kedro.training.loop.checkpoints import several_trainings

    asked = SeedSettings.model_validate(settings)
    data, names = (examples, validation_examples, teacher.tokenizer), list(asked.students)
    with several_trainings(training_work_dir, "seeds") as folder:
        trainer = SeedTrainer(data, teacher, teacher_targets, start_student, asked.students, folder)
        if min(asked.workers, len(names)) > 1:
            made = side_by_side(trainer, names, asked.workers, "distillation.seeds.workers")
        else:
            made = {name: trainer(name) for name in names}
    models = {name: model for name, (model, _) in made.items()}
    return models, [
        _prefixed(name, record) for name, (_, history) in made.items() for record in history
    ]


def train_controls(
    examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    tokenizer: Any,
    start_student: Start,
    settings: Settings,
    training_work_dir: Path,
) -> tuple[dict[str, LanguageModel], History]:
    """Make what the students are compared with.

    The student untrained; its start trained on the reference answers alone, where that is not the
    baseline; a second teacher, which differs from the first by its seed alone; the teacher as it
    came, before it was fine-tuned.
    """
    from kd_kedro.training.loop.checkpoints import several_trainings

    with several_trainings(training_work_dir, "controls") as folder:
        return _controls(
            (examples, validation_examples, tokenizer),
            start_student,
            ControlSettings.model_validate(settings),
            folder,
        )


def _controls(
    data: tuple[pd.DataFrame, pd.DataFrame, Any],
    start_student: Start,
    asked: ControlSettings,
    folder: Path,
) -> tuple[dict[str, LanguageModel], History]:
    from kd_kedro.training.loop.model_training import TrainingInputs, with_card

    student = asked.student
    own = reference_inputs(*data, student, asked.max_length, folder, keeps=True)
    model = make_student(student, own, asked.seed, start_student, True)
    origin, begun = origin_of(student, True), card_of_start(start_student)
    untrained = with_card(
        model, own, seed=asked.seed, name="untrained", origin=origin, training=begun
    )
    models, history = {"untrained": untrained}, []
    if asked.cut_untaught is not None:
        models[CUT_UNTAUGHT], own_history = train_one(
            own, start_student, asked.cut_untaught, CUT_UNTAUGHT
        )
        history += [_prefixed(CUT_UNTAUGHT, record) for record in own_history]
    inputs = teacher_inputs(TrainingInputs(*data, asked.max_length, folder, keeps=True))
    for name, teacher in ((FLOOR, asked.second_teacher), (PRETRAINED, asked.pretrained_teacher)):
        if teacher is not None:
            models[name], further = _make_teacher(inputs, teacher, name, "distillation.teacher")
            history += further
    return models, history


def _described(
    params: TeacherParams, ensemble: EnsembleParams
) -> dict[str, tuple[TeacherParams, str]]:
    """Return, by name, the other teachers of an ensemble, each with its key of the parameters."""
    return {
        f"seed_{seed}": (params.model_copy(update={"seed": seed}), "distillation.teacher")
        for seed in ensemble.seeds
    } | {
        f"pretrained_{number}": (
            params.model_copy(update={"pretrained": name, "fine_tune": False}),
            f"distillation.ensemble.pretrained.{number}",
        )
        for number, name in enumerate(ensemble.pretrained)
    }


def teacher_inputs(inputs: "TrainingInputs") -> "TrainingInputs":
    """Return what a teacher is fine-tuned on: it reads the contexts that it will be asked with."""
    tokenizer, examples = inputs.tokenizer, pd.concat([inputs.examples, inputs.validation])
    prompts = teacher_prompts(examples, tokenizer)
    if not prompts:
        return inputs
    reads = teacher_length(examples, tokenizer, inputs.max_length)
    return replace(inputs, prompts=prompts, reads=reads)


def _make_teacher(
    inputs: "TrainingInputs", params: TeacherParams, name: str, key: str
) -> tuple[LanguageModel, History]:
    from kd_kedro.models.build import told_by_card
    from kd_kedro.training.loop.model_training import train_model, with_card

    model = make_model(params, inputs.tokenizer, inputs.longest, params.seed, key, params.dtype)
    if not params.fine_tune:
        as_it_is = with_card(
            model,
            inputs,
            seed=params.seed,
            name=name,
            origin=params.pretrained,
            training=told_by_card(params.pretrained),
        )
        return as_it_is, []
    return train_model(
        model,
        inputs,
        params.training,
        ObjectiveConfig(),
        seed=params.seed,
        name=name,
        origin=params.pretrained,
    )


def _prefixed(name: str, record: dict[str, float]) -> dict[str, float]:
    return {key if key == "step" else f"{name}.{key}": value for key, value in record.items()}
