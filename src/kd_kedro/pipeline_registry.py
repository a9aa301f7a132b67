"""The pipelines of the project, by the names `kedro run --pipelines` takes."""

from kedro.pipeline import Pipeline

from kd_kedro.pipelines import (
    augmentation,
    distillation,
    evaluation,
    fabrication,
    filtering,
    merging,
    preprocessing,
    reporting,
    sample_teacher,
    tuning,
)

MAIN_JOB = ("preprocessing", "filtering", "augmentation", "distillation", "evaluation", "reporting")


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by name; `__default__` is the main job.

    Each has its name as a namespace, so that kedro-viz shows it as one box that unfolds.
    """
    modules = (
        fabrication,
        sample_teacher,
        preprocessing,
        filtering,
        augmentation,
        distillation,
        merging,
        tuning,
        evaluation,
        reporting,
    )
    pipelines: dict[str, Pipeline] = {}
    for module in modules:
        name = module.__name__.rsplit(".", 1)[-1]
        pipelines[name] = Pipeline(
            module.create_pipeline(), namespace=name, prefix_datasets_with_namespace=False
        )
    pipelines["__default__"] = sum((pipelines[name] for name in MAIN_JOB), Pipeline([]))
    return pipelines
