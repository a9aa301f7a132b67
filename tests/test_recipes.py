"""Every environment of conf/ is a recipe whose parameters the pipelines know."""

from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines, settings
from kedro.framework.startup import bootstrap_project

from kd_kedro.runs.parameter_check import check_parameters
from kd_kedro.runs.pipeline_packages import catalog_keys, parameter_models, renamed_parameters

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted(
    folder.name for folder in (ROOT / "conf").iterdir() if any(folder.glob("*/parameters.yml"))
)


@pytest.mark.parametrize("environment", RECIPES)
def test_the_parameters_of_a_recipe_are_known_and_within_bounds(environment: str) -> None:
    bootstrap_project(ROOT)
    pipelines.set_requested(None)
    loader = OmegaConfigLoader(
        conf_source=str(ROOT / "conf"),
        env=environment,
        **{**settings.CONFIG_LOADER_ARGS, "default_run_env": "local"},
    )
    values = check_parameters(
        loader, parameter_models(), renamed=renamed_parameters(), catalog_keys=catalog_keys()
    )
    assert values.keys() >= parameter_models().keys()
