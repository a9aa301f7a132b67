"""`kedro promote`: a student into MLflow's model registry."""

from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from kd_kedro.cli.options import Command
from kd_kedro.cli.session import PARAMS, one_sentence, open_context


@click.command(cls=Command)
@click.argument("run_id", required=False)
@click.option("--dry-run", is_flag=True, help="Decide and say it; change nothing.")
@click.option("--env", "-e", default=None, help="Kedro environment that the run was made in.")
@click.option("--params", **PARAMS)
@click.pass_obj
def promote(
    metadata: ProjectMetadata,
    run_id: str | None,
    dry_run: bool,
    env: str | None,
    params: dict[str, Any],
) -> None:
    """Register a run's student with MLflow; it becomes champion where it has earned it.

    RUN_ID is as `kedro runs` shows it: MLflow's id or Kedro's timestamp, or the start of either;
    without it, the latest run with a verdict.
    """
    from kd_kedro.registry.promote import promote_run

    project = metadata.project_path
    with one_sentence(project), open_context(project, env, params) as context:
        click.echo(promote_run(context, run_id, dry_run=dry_run))
