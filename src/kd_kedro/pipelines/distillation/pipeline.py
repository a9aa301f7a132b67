"""The distillation pipeline."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kedro.pipeline import Node, Pipeline

from kd_kedro.pipelines.distillation.lengths import check_lengths, check_student_lengths
from kd_kedro.pipelines.distillation.nodes import (
    capture_targets,
    choose_examples,
    train_baseline,
    train_controls,
    train_seeds,
    train_student,
    train_teacher,
    train_tokenizer,
)
from kd_kedro.pipelines.distillation.sequence_level import make_student_examples
from kd_kedro.pipelines.distillation.starts import make_start
from kd_kedro.pipelines.distillation.training_groups import (
    set_baseline,
    set_controls,
    set_seeds,
    set_start,
    set_student,
)


class Groups(NamedTuple):
    """Groups of parameters by argument, and the node that puts them together."""

    put_together: Callable[..., Any]
    by_argument: Mapping[str, str]


_SEED = "params:distillation.seeds.first"
_MAX_LENGTH = "params:distillation.examples.max_length"
_STUDENT_TOKENIZER = "params:distillation.student.tokenizer"
_COUNTED = {
    "training_examples": "training_examples",
    "validation_examples": "validation_examples",
    "augmented_qa": "augmented_qa",
}
BASELINE = Groups(
    set_baseline,
    {
        "student": "params:distillation.student",
        "training": "params:distillation.training",
        "seed": _SEED,
        "max_length": _MAX_LENGTH,
        "baseline": "params:distillation.controls.baseline",
    },
)
STUDENT = Groups(
    set_student,
    {
        "student": "params:distillation.student",
        "training": "params:distillation.training",
        "objective": "params:distillation.objective",
        "on_policy": "params:distillation.on_policy",
        "seed": _SEED,
        "max_length": _MAX_LENGTH,
    },
)
_SEEDS = Groups(
    set_seeds,
    {
        "student": "params:distillation.student",
        "training": "params:distillation.training",
        "objective": "params:distillation.objective",
        "on_policy": "params:distillation.on_policy",
        "seeds": "params:distillation.seeds",
        "controls": "params:distillation.controls",
        "max_length": _MAX_LENGTH,
    },
)
_CONTROLS = Groups(
    set_controls,
    {
        "student": "params:distillation.student",
        "teacher": "params:distillation.teacher",
        "training": "params:distillation.training",
        "controls": "params:distillation.controls",
        "seed": _SEED,
        "max_length": _MAX_LENGTH,
    },
)
_START = Groups(
    set_start,
    {
        "student": "params:distillation.student",
        "batch_size": "params:distillation.training.batch_size",
        "gradient_checkpointing": "params:distillation.training.gradient_checkpointing",
        "max_length": _MAX_LENGTH,
    },
)
# What a training reads, by argument: without a teacher's signals, and with them.
REFERENCE = {
    "examples": "training_examples",
    "validation_examples": "validation_examples",
    "tokenizer": "tokenizer",
    "start_student": "start_student",
}
TAUGHT = {
    "examples": "student_examples",
    "validation_examples": "validation_examples",
    "teacher": "teacher",  # with its tokenizer
    "teacher_targets": "teacher_targets",
    "start_student": "start_student",
}


def create_pipeline() -> Pipeline:
    """Return the distillation pipeline: a teacher, its targets, and students with and without."""
    return Pipeline(
        [
            _teacher(),
            training(
                "start",
                _START,
                make_start,
                {
                    "training_examples": "training_examples",
                    "validation_examples": "validation_examples",
                    "teacher": "teacher",
                },
                ["start_student", "start_facts"],
                node="make_start",
            ),
            training(
                "baseline",
                BASELINE,
                train_baseline,
                REFERENCE,
                ["baseline_student", "baseline_history"],
            ),
            training(
                "student",
                STUDENT,
                train_student,
                TAUGHT,
                ["student", "student_history"],
            ),
            training(
                "seeds",
                _SEEDS,
                train_seeds,
                TAUGHT,
                ["student_seeds", "seeds_history"],
            ),
            training(
                "controls",
                _CONTROLS,
                train_controls,
                REFERENCE,
                ["control_models", "controls_history"],
            ),
        ]
    )


def training(
    name: str,
    groups: Groups,
    train: Callable[..., Any],
    reads: Mapping[str, str],
    makes: str | list[str],
    node: str = "",
) -> Pipeline:
    """Return a training as a modular pipeline: what is asked of it, then the training itself.

    Args:
        name: The namespace; `<name>_settings` is the entry that says what is asked.
        groups: The parameters that are put together there.
        train: The node that trains.
        reads: What it reads, by argument, in the order of its arguments; `settings` and
            `training_work_dir` follow.
        makes: What comes of it.
        node: Name of the node; `train_<name>` where there is none.
    """
    settings = f"{name}_settings"
    # Kedro finds a parameter's type by the place of its argument: inputs keep their order.
    inputs = {**reads, "settings": settings, "training_work_dir": "training_work_dir"}
    return Pipeline(
        [
            Node(groups.put_together, dict(groups.by_argument), settings, name=f"set_{name}"),
            Node(train, inputs, makes, name=node or f"train_{name}"),
        ],
        namespace=name,
        prefix_datasets_with_namespace=False,
    )


def _teacher() -> Pipeline:
    """Return what is made once for all students: examples, tokenizer, teacher and its targets."""
    return Pipeline(
        [
            Node(
                choose_examples,
                {"augmented_qa": "augmented_qa", "params": "params:distillation.examples"},
                ["training_examples", "validation_examples"],
                name="choose_examples",
            ),
            Node(
                train_tokenizer,
                {
                    "training_examples": "training_examples",
                    "params": "params:distillation.tokenizer",
                    "examples": "params:distillation.examples",
                },
                "tokenizer",
                name="train_tokenizer",
            ),
            Node(
                check_lengths,
                {
                    **_COUNTED,
                    "tokenizer": "tokenizer",
                    "params": "params:distillation.examples",
                    "teacher": "params:distillation.teacher.pretrained",
                    "ensemble": "params:distillation.ensemble.pretrained",
                },
                ["length_facts", "length_settings"],
                name="check_lengths",
            ),
            Node(
                check_student_lengths,
                {
                    **_COUNTED,
                    "tokenizer": "tokenizer",
                    "params": "params:distillation.examples",
                    "student_tokenizer": _STUDENT_TOKENIZER,
                    "student": "params:distillation.student.pretrained",
                },
                "student_length_facts",
                name="check_student_lengths",
            ),
            Node(
                train_teacher,
                {
                    "training_examples": "training_examples",
                    "validation_examples": "validation_examples",
                    "tokenizer": "tokenizer",
                    "params": "params:distillation.teacher",
                    "ensemble": "params:distillation.ensemble",
                    # The same length, and no training before the rows were held against it.
                    "max_length": "length_settings",
                    "training_work_dir": "training_work_dir",
                },
                ["teacher", "teacher_history"],
                name="train_teacher",
            ),
            Node(
                make_student_examples,
                {
                    "training_examples": "training_examples",
                    "teacher": "teacher",
                    "text_generator": "text_generator",
                    "params": "params:distillation.sequence_level",
                    "student_tokenizer": _STUDENT_TOKENIZER,
                    "max_length": _MAX_LENGTH,
                },
                "student_examples",
                name="make_student_examples",
            ),
            Node(
                capture_targets,
                {
                    "student_examples": "student_examples",
                    "tokenizer": "tokenizer",
                    "teacher": "teacher",
                    "params": "params:distillation.targets",
                    "max_length": _MAX_LENGTH,
                    "target_store": "target_store",
                },
                "teacher_targets",
                name="capture_targets",
            ),
        ]
    )
