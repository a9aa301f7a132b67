"""The distillation pipeline."""

from kedro.pipeline import Pipeline, node

from kd_kedro.pipelines.distillation.nodes import (
    capture_targets,
    train_baseline,
    train_seeds,
    train_student,
    train_teacher,
    train_tokenizer,
)

_EXAMPLES = "params:distillation.examples"
_STUDENT = "params:distillation.student"
_TRAINING = "params:distillation.training"
_OBJECTIVE = "params:distillation.objective"
_SEEDS = "params:distillation.seeds"
_TARGETS = ["teacher", "teacher_targets", "target_store"]


def create_pipeline() -> Pipeline:
    """Return the distillation pipeline: a teacher, its targets, and students with and without."""
    return Pipeline(
        [
            node(
                train_tokenizer,
                ["augmented_qa", _EXAMPLES, "params:distillation.tokenizer"],
                "tokenizer",
                name="train_tokenizer",
            ),
            node(
                train_teacher,
                [
                    "augmented_qa",
                    "tokenizer",
                    _EXAMPLES,
                    "params:distillation.teacher",
                    "training_work_dir",
                ],
                ["teacher", "teacher_history"],
                name="train_teacher",
            ),
            node(
                capture_targets,
                [
                    "augmented_qa",
                    "tokenizer",
                    "teacher",
                    _EXAMPLES,
                    "params:distillation.targets",
                    "target_store",
                ],
                "teacher_targets",
                name="capture_targets",
            ),
            node(
                train_baseline,
                [
                    "augmented_qa",
                    "tokenizer",
                    _EXAMPLES,
                    _STUDENT,
                    _TRAINING,
                    f"{_SEEDS}.first",
                    "training_work_dir",
                ],
                ["baseline_student", "baseline_history"],
                name="train_baseline",
            ),
            node(
                train_student,
                [
                    "augmented_qa",
                    "tokenizer",
                    *_TARGETS,
                    _EXAMPLES,
                    _STUDENT,
                    _TRAINING,
                    _OBJECTIVE,
                    f"{_SEEDS}.first",
                    "training_work_dir",
                ],
                ["student", "student_history"],
                name="train_student",
            ),
            node(
                train_seeds,
                [
                    "augmented_qa",
                    "tokenizer",
                    *_TARGETS,
                    _EXAMPLES,
                    _STUDENT,
                    _TRAINING,
                    _OBJECTIVE,
                    _SEEDS,
                    "training_work_dir",
                ],
                ["student_seeds", "seeds_history"],
                name="train_seeds",
            ),
        ]
    )
