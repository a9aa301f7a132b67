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
    tuning,
)

MAIN_JOB = ("preprocessing", "filtering", "augmentation", "distillation", "evaluation", "reporting")


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by name; `__default__` is the main job."""
    modules = (
        fabrication,
        preprocessing,
        filtering,
        augmentation,
        distillation,
        merging,
        tuning,
        evaluation,
        reporting,
    )
    pipelines = {module.__name__.rsplit(".", 1)[-1]: module.create_pipeline() for module in modules}
    pipelines["__default__"] = sum((pipelines[name] for name in MAIN_JOB), Pipeline([]))
    return pipelines
