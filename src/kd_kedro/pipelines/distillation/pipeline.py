"""The distillation pipeline."""

from kedro.pipeline import Pipeline, node

from kd_kedro.pipelines.distillation.nodes import (
    capture_targets,
    merge_student,
    train_baseline,
    train_controls,
    train_further_teachers,
    train_seeds,
    train_student,
    train_teacher,
    train_tokenizer,
    write_teacher_answers,
)

_EXAMPLES = "params:distillation.examples"
_STUDENT = "params:distillation.student"
_TRAINING = "params:distillation.training"
_OBJECTIVE = "params:distillation.objective"
_SEEDS = "params:distillation.seeds"
_SEQUENCE_LEVEL = "params:distillation.sequence_level"
_TAUGHT = [
    "augmented_qa",
    "teacher_answers",
    "tokenizer",
    "teacher",
    "further_teachers",
    "teacher_targets",
    "target_store",
    _EXAMPLES,
    _SEQUENCE_LEVEL,
]


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
                train_further_teachers,
                [
                    "augmented_qa",
                    "tokenizer",
                    _EXAMPLES,
                    "params:distillation.teacher",
                    "params:distillation.ensemble",
                    "training_work_dir",
                ],
                ["further_teachers", "further_teachers_history"],
                name="train_further_teachers",
            ),
            node(
                write_teacher_answers,
                ["augmented_qa", "teacher", "text_generator", _EXAMPLES, _SEQUENCE_LEVEL],
                "teacher_answers",
                name="write_teacher_answers",
            ),
            node(
                capture_targets,
                [
                    "augmented_qa",
                    "teacher_answers",
                    "tokenizer",
                    "teacher",
                    "further_teachers",
                    _EXAMPLES,
                    _SEQUENCE_LEVEL,
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
                    "teacher",
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
                    *_TAUGHT,
                    _STUDENT,
                    _TRAINING,
                    _OBJECTIVE,
                    "params:distillation.on_policy",
                    f"{_SEEDS}.first",
                    "training_work_dir",
                ],
                ["student", "student_history"],
                name="train_student",
            ),
            node(
                train_controls,
                [
                    "augmented_qa",
                    "tokenizer",
                    "teacher",
                    _EXAMPLES,
                    "params:distillation.teacher",
                    _STUDENT,
                    "params:distillation.controls",
                    f"{_SEEDS}.first",
                    "training_work_dir",
                ],
                ["control_models", "controls_history"],
                name="train_controls",
            ),
            node(merge_student, "student", "merged_student", name="merge_student"),
            node(
                train_seeds,
                [
                    *_TAUGHT,
                    _STUDENT,
                    _TRAINING,
                    _OBJECTIVE,
                    "params:distillation.on_policy",
                    _SEEDS,
                    "training_work_dir",
                ],
                ["student_seeds", "seeds_history"],
                name="train_seeds",
            ),
        ]
    )
