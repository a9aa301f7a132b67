"""The hook that names the running node."""

import logging

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

logger = logging.getLogger(__name__)


class ProgressHooks:
    """Say which node runs, out of how many."""

    def __init__(self) -> None:
        self._total = self._done = 0

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Count the nodes."""
        self._total, self._done = len(pipeline.nodes), 0

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Name the node."""
        self._done += 1
        logger.info("[%2d/%d] %s", self._done, self._total, node.short_name)
