"""`kedro distill-plan`: what the distillation will cost."""

import json
from pathlib import Path
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from kd_kedro.cli.options import Command
from kd_kedro.cli.session import PARAMS, one_sentence, open_context


@click.command("distill-plan", cls=Command)
@click.option("--env", "-e", default=None, help="Kedro environment, as for `kedro run`.")
@click.option("--params", **PARAMS)
@click.option("--json", "to", type=click.Path(path_type=Path), help="Write the figures here.")
@click.pass_obj
def distill_plan(
    metadata: ProjectMetadata, env: str | None, params: dict[str, Any], to: Path | None
) -> None:
    """Tell what the distillation will cost: disk, memory and time, and whether to capture."""
    from kd_kedro.cli.terminal import print_plan
    from kd_kedro.models.quiet import quiet_transformers
    from kd_kedro.pipelines.distillation.cost import GROUPS, plan_distillation
    from kd_kedro.runs.registered import check_inputs

    with one_sentence(metadata.project_path):
        with open_context(metadata.project_path, env, params) as context:
            catalog = context.catalog
            config = context.config_loader["catalog"]
            check_inputs({"augmented_qa"}, catalog, config, env=context.env)
            groups = {name: catalog.load(f"params:distillation.{name}") for name in GROUPS}
            with quiet_transformers():
                plan = plan_distillation(catalog.load("augmented_qa"), **groups)
        print_plan(plan)
        if to:
            to.write_text(json.dumps(plan.figures(), indent=1) + "\n", encoding="utf-8")
