"""The project's commands, as one group that Kedro finds."""

import os
import sys
from pathlib import Path

import click

from kd_kedro.cli.files import export, review_queue
from kd_kedro.cli.plan import distill_plan
from kd_kedro.cli.promote import promote
from kd_kedro.cli.run import run
from kd_kedro.cli.runs import compare, prune, reproduce, runs
from kd_kedro.cli.session import on_uncaught_error
from kd_kedro.cli.trace import trace
from kd_kedro.cli.viz import check_before_viz, lineage


class ProjectCommands(click.Group):
    """The project's commands, where Kedro looks before it looks among its own."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of ours; an error in one of Kedro's is one sentence from here on.

        `kedro mlflow ui` starts the program `mlflow`: that of this environment, whether its folder
        is on the PATH or not.
        """
        sys.excepthook = on_uncaught_error
        programs = str(Path(sys.executable).parent)
        if programs not in os.environ.get("PATH", "").split(os.pathsep):
            os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", "")])
        return super().get_command(ctx, cmd_name)


@click.group(name="kd_kedro", cls=ProjectCommands)
def cli() -> None:
    """Commands of kd_kedro."""


for command in (
    run,
    trace,
    distill_plan,
    review_queue,
    export,
    runs,
    compare,
    reproduce,
    prune,
    promote,
    lineage,
):
    cli.add_command(command)
check_before_viz()
