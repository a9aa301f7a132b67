"""The project's commands, as one group that Kedro finds."""

import click

from kd_kedro.cli.plan import distill_plan
from kd_kedro.cli.promote import promote
from kd_kedro.cli.review_queue import review_queue
from kd_kedro.cli.run import run
from kd_kedro.cli.runs import compare, prune, reproduce, runs
from kd_kedro.cli.trace import trace
from kd_kedro.cli.viz import lineage


@click.group(name="kd_kedro")
def cli() -> None:
    """Commands of kd_kedro."""


for command in (
    run,
    trace,
    distill_plan,
    review_queue,
    runs,
    compare,
    reproduce,
    prune,
    promote,
    lineage,
):
    cli.add_command(command)
