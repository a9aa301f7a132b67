"""Every environment of conf/ is a recipe whose parameters the pipelines know."""

from pathlib import Path

import pytest
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project

from kd_kedro.runs.pipeline_packages import parameter_models

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted(
    folder.name for folder in (ROOT / "conf").iterdir() if any(folder.glob("*/parameters.yml"))
)


STACKED = ["qwen,served"]  # the teacher of the second replaces that of the first


@pytest.mark.parametrize("environment", [*RECIPES, *STACKED])
def test_the_parameters_of_a_recipe_are_known_and_within_bounds(environment: str) -> None:
    bootstrap_project(ROOT)
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=str(ROOT / "conf"),
        env=environment,
        **{**settings.CONFIG_LOADER_ARGS, "default_run_env": "local"},
    )
    assert loader["parameters"].keys() >= parameter_models().keys()
