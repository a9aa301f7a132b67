"""The tuning pipeline."""

from kedro.pipeline import Node, Pipeline

from kd_kedro.pipelines.distillation.pipeline import (
    BASELINE,
    REFERENCE,
    STUDENT,
    TAUGHT,
    training,
)
from kd_kedro.pipelines.tuning.nodes import (
    capture_for_trials,
    choose_best,
    plot_history,
    plot_importance,
    run_baseline_study,
    run_study,
    tabulate_study,
)

_RECORD = {"tuning_record": "tuning_record"}


def create_pipeline() -> Pipeline:
    """Return the tuning pipeline: a study over students that all read one capture, and one over
    baselines.
    """
    study = {"tuning": "params:tuning", "study_storage": "study_storage"}
    taught = {**TAUGHT, "teacher_targets": "trial_targets"}
    return Pipeline(
        [
            _capture(),
            training("trials", STUDENT, run_study, {**taught, **study}, "tuning_record"),
            training(
                "baseline_trials",
                BASELINE,
                run_baseline_study,
                {**REFERENCE, **study},
                "baseline_tuning_record",
            ),
            Node(tabulate_study, _RECORD, "study", name="tabulate_study"),
            Node(
                choose_best,
                {**_RECORD, "baseline_tuning_record": "baseline_tuning_record"},
                "best_hyperparameters",
                name="choose_best",
            ),
            Node(plot_history, _RECORD, "tuning_history_plot", name="plot_history"),
            Node(plot_importance, _RECORD, "tuning_importance_plot", name="plot_importance"),
        ]
    )


def _capture() -> Pipeline:
    """Return the capture of what trials may ask for where the students of a run ask for none."""
    return Pipeline(
        [
            Node(
                capture_for_trials,
                {
                    "examples": "student_examples",
                    "teacher": "teacher",
                    "teacher_targets": "teacher_targets",
                    "targets": "params:distillation.targets",
                    "tuning": "params:tuning",
                    "settings": "trials_settings",
                },
                "trial_targets",
                name="capture_for_trials",
            )
        ],
        namespace="trials",
        prefix_datasets_with_namespace=False,
    )
