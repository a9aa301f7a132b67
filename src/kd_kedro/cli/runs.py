"""`kedro runs`, `compare`, `reproduce` and `prune`: past runs."""

import json
from pathlib import Path

import click
from kedro.framework.project import settings
from kedro.framework.startup import ProjectMetadata

from kd_kedro.cli.options import Command
from kd_kedro.cli.session import one_sentence, open_context


@click.command(cls=Command)
@click.option("--env", "-e", default=None, help="Kedro environment whose MLflow store is read.")
@click.option(
    "--last", type=click.IntRange(min=1), default=20, show_default=True, help="Runs at most."
)
@click.pass_obj
def runs(metadata: ProjectMetadata, env: str | None, last: int) -> None:
    """List the latest runs with their verdicts, newest first."""
    from kd_kedro.cli.past_runs import list_past_runs
    from kd_kedro.cli.runs_terminal import print_runs

    with one_sentence(metadata.project_path), open_context(metadata.project_path, env) as context:
        print_runs(*list_past_runs(context, last), context.env)


@click.command(cls=Command)
@click.argument("run_a")
@click.argument("run_b")
@click.option("--env", "-e", default=None, help="Kedro environment of the verdict's parameters.")
@click.option("--json", "to", type=click.Path(path_type=Path), help="Write the comparison here.")
@click.pass_obj
def compare(
    metadata: ProjectMetadata, run_a: str, run_b: str, env: str | None, to: Path | None
) -> None:
    """Print what differs between two runs, and the paired difference of every metric.

    A run is named as `kedro runs` shows it: by MLflow's id or Kedro's timestamp, or their start.
    """
    from kd_kedro.cli.past_runs import compare_past_runs
    from kd_kedro.cli.runs_terminal import print_comparison

    with one_sentence(metadata.project_path), open_context(metadata.project_path, env) as context:
        comparison = compare_past_runs(context, run_a, run_b)
        print_comparison(comparison)
        if to:
            text = json.dumps(comparison, indent=1, ensure_ascii=False) + "\n"
            to.write_text(text, encoding="utf-8")


@click.command(cls=Command)
@click.argument("run_id")
@click.option("--env", "-e", default=None, help="Kedro environment whose MLflow store has the run.")
@click.pass_obj
def reproduce(metadata: ProjectMetadata, run_id: str, env: str | None) -> None:
    """Run a past run again and say whether it makes the same; exit status 1 where it does not.

    A run is named as `kedro runs` shows it: by MLflow's id or Kedro's timestamp, or their start.
    """
    from kd_kedro.cli.past_runs import (
        agreement_of,
        check_reproducible,
        marked_as_repetition,
        recipe_to_reproduce,
    )
    from kd_kedro.cli.runs_terminal import print_agreement

    project = metadata.project_path
    with one_sentence(project):
        with open_context(project, env) as context:
            run, recipe = recipe_to_reproduce(context, run_id)
        with open_context(project, recipe.env, recipe.params) as context:
            check_reproducible(context, recipe)
        with (
            settings.SESSION_CLASS.create(
                project_path=project, env=recipe.env, runtime_params=recipe.params
            ) as session,
            marked_as_repetition(run, settings.HOOKS),
        ):
            session.run(**recipe.command, load_versions=recipe.loaded)
            timestamp = session.session_id
        with open_context(project, recipe.env) as context:
            outcome = agreement_of(context, run, recipe, timestamp)
        print_agreement(outcome)
    if not outcome["agrees"]:
        raise SystemExit(1)


@click.command(cls=Command)
@click.option(
    "--keep-last",
    type=click.IntRange(min=1),
    required=True,
    help="Finished versions of every dataset to keep.",
)
@click.option("--env", "-e", default=None, help="Kedro environment, as for `kedro run`.")
@click.option("--forgotten", is_flag=True, help="Also versions whose run MLflow does not know.")
@click.option("--yes", is_flag=True, help="Delete; without it nothing is touched.")
@click.pass_obj
def prune(
    metadata: ProjectMetadata, keep_last: int, env: str | None, forgotten: bool, yes: bool
) -> None:
    """Remove older versions, except registered, tagged and pinned ones and what those stand on."""
    from kd_kedro.cli.past_runs import choose_versions
    from kd_kedro.cli.runs_terminal import print_choices
    from kd_kedro.runs.prune import delete

    with one_sentence(metadata.project_path), open_context(metadata.project_path, env) as context:
        choices = choose_versions(context, keep_last, forgotten=forgotten)
        if yes:
            delete(choices)
        print_choices(choices, deleted=yes)
