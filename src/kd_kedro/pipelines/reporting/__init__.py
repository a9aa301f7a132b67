"""The reporting pipeline."""

from collections.abc import Callable, Set
from typing import Any

from kd_kedro.metrics.report.evidence import SCHEMA
from kd_kedro.pipelines.reporting.params import ReportParams
from kd_kedro.pipelines.reporting.pipeline import create_pipeline

__all__ = ["PARAMETERS", "check_before_run", "create_pipeline"]

PARAMETERS = ReportParams


def check_before_run(inputs: Set[str], load: Callable[[str], Any], _: Callable[[str], str]) -> None:
    """Refuse evidence that lacks what the pages show, since another version gathered it.

    Args:
        inputs: Names of what the run reads and does not make.
        load: Loads one of the catalog.

    Raises:
        ValueError: Its schema is another one; the message names the command that makes it anew.
    """
    if "evidence" not in inputs:
        return
    found = load("evidence").get("schema", "no schema")
    if found != SCHEMA:
        raise ValueError(
            f"evidence holds {found}, and the pages are made of {SCHEMA}: run `kedro run "
            f"--pipelines evaluation,reporting{load('run_identity')['env_option']}` to gather it "
            "anew"
        )
