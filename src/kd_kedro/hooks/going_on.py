"""The hook that asks whether to go on with a run that cannot reach what it is for."""

import logging
import sys
from collections.abc import Set
from typing import Any

import click
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from kd_kedro.runs.pipeline_packages import doubts_before_node

logger = logging.getLogger(__name__)


class GoingOnHooks:
    """Say what the registered pipelines doubt of a run, and ask before what costs time.

    Attributes:
        yes: Whether the answer is yes without asking.
    """

    def __init__(self) -> None:
        self.yes = False
        self._made: Set[str] = frozenset()
        self._said: set[str] = set()

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Note what the run makes."""
        self._made, self._said = pipeline.all_outputs(), set()

    @hook_impl(tryfirst=True)
    def before_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any]) -> None:
        """Say a doubt once; where a node's run follows that costs time, ask.

        What the nodes before it made is saved by then, so that nothing of it is lost.

        Raises:
            ClickException: The user does not want to go on.
        """
        for doubt_before_node in doubts_before_node():
            sentence, costly = doubt_before_node(inputs, self._made, catalog.load)
            if not sentence or sentence in self._said:
                continue
            self._said.add(sentence)
            logger.warning(sentence)
            if costly and not self._goes_on():
                raise click.ClickException(
                    f"stopped before {node.short_name}, as you answered; what was made before is "
                    "kept (--yes goes on without asking)"
                )

    def _goes_on(self) -> bool:
        if self.yes:
            logger.warning("It goes on without asking.")
            return True
        # Of a question in a log file nobody would know, and the run would wait for ever.
        if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stderr)):
            logger.warning("There is no terminal to ask on, so it goes on.")
            return True
        try:
            return click.confirm("Go on all the same?", default=False, err=True)
        except click.Abort:  # Ctrl-C or the end of the input: no answer is no
            return False
