"""The tuning pipeline."""

from kedro.pipeline import Pipeline, node

from kd_kedro.pipelines.tuning.nodes import (
    choose_best,
    plot_history,
    plot_importance,
    run_study,
    tabulate_study,
)


def create_pipeline() -> Pipeline:
    """Return the tuning pipeline: a study over students that all read one capture."""
    return Pipeline(
        [
            node(
                run_study,
                [
                    "augmented_qa",
                    "teacher_answers",
                    "tokenizer",
                    "teacher",
                    "further_teachers",
                    "teacher_targets",
                    "target_store",
                    "params:distillation.examples",
                    "params:distillation.sequence_level",
                    "params:distillation.student",
                    "params:distillation.training",
                    "params:distillation.objective",
                    "params:distillation.on_policy",
                    "params:distillation.seeds.first",
                    "params:tuning",
                    "study_storage",
                    "training_work_dir",
                ],
                "tuning_record",
                name="run_study",
            ),
            node(tabulate_study, "tuning_record", "study", name="tabulate_study"),
            node(choose_best, "tuning_record", "best_hyperparameters", name="choose_best"),
            node(plot_history, "tuning_record", "tuning_history_plot", name="plot_history"),
            node(
                plot_importance, "tuning_record", "tuning_importance_plot", name="plot_importance"
            ),
        ]
    )
