"""What MLflow's list of runs shows of a run: its name, its verdict, the few numbers that count."""

from collections.abc import Mapping
from typing import Any

from kd_kedro.metrics.scores.formatting import SummaryTable, summarise
from kd_kedro.runs.environments import kedro_command
from kd_kedro.runs.recipe import run_part

VERDICT = "verdict"
NOTE = "mlflow.note.content"  # the tag that MLflow shows as a run's description


def run_name(run_params: Mapping[str, Any], sheet: str) -> str:
    """Return a run's name: sheet, recipe, the part that runs if not all does, and time.

    Args:
        run_params: Kedro's, of the run.
        sheet: Name of the sheet's file, without its folder and ending.
    """
    # The time as `kedro compare` and others take it, to the second.
    time = run_params["run_id"].rpartition(".")[0]
    parts = (sheet, run_params["env"] or "base", run_part(run_params), time)
    return " · ".join(part for part in parts if part)


def headlines(verdict: Mapping[str, Any]) -> dict[str, float]:
    """Return the few numbers that runs are compared by.

    Args:
        verdict: The verdict.

    Returns:
        As `<who>/<metric>`, of every primary metric, what student, baseline and teacher reach, and
        the difference student - baseline; what could not be measured is left out. MLflow draws
        metrics with a slash in their name before all others, and shows a dozen letters of it.
    """
    return {
        f"{what}/{name}": float(value)
        for name in verdict["primary"]
        for what in ("student", "baseline", "teacher", "difference")
        if (value := verdict["metrics"][name][what]["estimate"]) is not None
    }


def describe(verdict: Mapping[str, Any], timestamp: str, env: str | None) -> str:
    """Return a run's description in Markdown: the verdict, its table, what to do next.

    Args:
        verdict: The verdict.
        timestamp: Kedro's, of the run.
        env: Its environment, which the commands need too; None for the default one.
    """
    [table] = summarise(None, verdict, None)
    return (
        f"**{table.title}**\n\n{_markdown(table)}\n\n{table.note}\n\n"
        f"`{kedro_command(f'compare {timestamp} OTHER', env)}` · "
        f"`{kedro_command(f'promote {timestamp}', env)}`"
    )


def _markdown(table: SummaryTable) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
