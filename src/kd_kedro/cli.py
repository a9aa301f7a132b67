"""The project's commands: `kedro run` with one-sentence errors, `distill-plan`, `trace`, …"""

import csv
import json
import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, NoReturn

import click
from kedro.framework.cli.project import run as stock_run
from kedro.framework.cli.utils import _split_params
from kedro.framework.project import settings
from kedro.framework.startup import ProjectMetadata
from kedro.io import DataCatalog

from kd_kedro.one_sentence import sentence

LOG_FILE = Path("logs") / "kedro.log"
_SPOKEN = (
    "kd_kedro.hooks",
    "kd_kedro.tracking",
    "kd_kedro.generation",
    "kd_kedro.pipelines.distillation",
    "kd_kedro.pipelines.tuning",
)  # whose log lines stand on the terminal


_PARTS = ("tags", "node_names", "from_nodes", "to_nodes", "from_inputs", "to_outputs", "namespaces")


@click.group(name="kd_kedro")
def cli() -> None:
    """Commands of kd_kedro."""


def _run(tuned: bool, **options: Any) -> None:
    metadata: ProjectMetadata = click.get_current_context().obj
    log = _set_up_terminal(metadata.project_path)
    try:
        if tuned:
            options["params"] = _tuned(metadata.project_path, options)
        stock_run.callback(**options)  # type: ignore[misc]
        _show_outcome(metadata.project_path, options)
    except KeyboardInterrupt:
        _end_interrupted()
    except Exception as error:
        logging.getLogger("kd_kedro.traceback").error(traceback.format_exc())
        click.secho(f"Error: {sentence(error)}", fg="red", err=True)
        click.echo(f"(traceback: {log})", err=True)
        raise SystemExit(1) from None


run = click.command(
    "run",
    params=[
        *stock_run.params,
        click.Option(
            ["--tuned"],
            is_flag=True,
            help="Take the values that `kedro run --pipelines tuning` found best; --params win.",
        ),
    ],
    help="Run the pipelines: `kedro run` is the main job, `--pipelines NAMES` a part of it.",
)(_run)
cli.add_command(run)


@cli.command()
@click.argument("row_id")
@click.option("--env", "-e", default=None, help="Kedro environment, as for `kedro run`.")
@click.pass_obj
def trace(metadata: ProjectMetadata, row_id: str, env: str | None) -> None:
    """Print the life of a row: what each stage did to it, and its text where it changed."""
    from kd_kedro.curation.lineage import trace as trace_row
    from kd_kedro.terminal import print_trace

    with _one_sentence(metadata.project_path), _catalog(metadata.project_path, env) as catalog:
        if not catalog.exists("row_events"):
            raise ValueError("row_events has not been made yet: run `kedro run` first")
        print_trace(row_id, trace_row(catalog.load("row_events"), row_id), catalog)


@cli.command("distill-plan")
@click.option("--env", "-e", default=None, help="Kedro environment, as for `kedro run`.")
@click.option(
    "--params",
    type=click.UNPROCESSED,
    default="",
    callback=_split_params,
    help="Parameters, as for `kedro run`.",
)
@click.option("--json", "to", type=click.Path(path_type=Path), help="Write the figures here.")
@click.pass_obj
def distill_plan(
    metadata: ProjectMetadata, env: str | None, params: dict[str, Any], to: Path | None
) -> None:
    """Tell what the distillation will cost: disk, memory and time, and whether to capture."""
    from kd_kedro.hooks import check_inputs
    from kd_kedro.pipelines.distillation.cost import GROUPS, plan_distillation
    from kd_kedro.terminal import print_plan

    with _one_sentence(metadata.project_path):
        with _context(metadata.project_path, env, params) as context:
            catalog = context.catalog
            if not catalog.exists("augmented_qa"):
                choice = f" --env {env}" if env else ""
                raise ValueError(
                    "augmented_qa has not been made yet: run `kedro run --pipelines "
                    f"preprocessing,filtering,augmentation{choice}` first"
                )
            check_inputs({"augmented_qa"}, catalog, context.config_loader["catalog"])
            groups = {name: catalog.load(f"params:distillation.{name}") for name in GROUPS}
            plan = plan_distillation(catalog.load("augmented_qa"), **groups)
        print_plan(plan)
        if to:
            to.write_text(json.dumps(plan.figures(), indent=1) + "\n", encoding="utf-8")


@cli.command("review-queue")
@click.option(
    "--rows", type=click.IntRange(min=1), default=50, show_default=True, help="Rows at most."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("review_queue.csv"),
    show_default=True,
    help="File to write; one that is there already is not overwritten.",
)
@click.option("--env", "-e", default=None, help="Kedro environment, as for `kedro run`.")
@click.pass_obj
def review_queue(metadata: ProjectMetadata, rows: int, output: Path, env: str | None) -> None:
    """Write the rows most worth a reviewer's minute, to be filled in and handed back."""
    with _one_sentence(metadata.project_path):
        with _catalog(metadata.project_path, env) as catalog:
            if not catalog.exists("review_queue"):
                raise ValueError("review_queue has not been made yet: run `kedro run` first")
            if output.exists():
                raise ValueError(
                    f"{output} is there already and may hold verdicts: name another --output"
                )
            queue = catalog.load("review_queue").head(rows)
            if queue.empty:
                raise ValueError(
                    "the review queue is empty: every row is reviewed and the model agrees"
                )
            # The mark at its start tells spreadsheet programs that the file is UTF-8.
            queue.to_csv(output, index=False, quoting=csv.QUOTE_ALL, encoding="utf-8-sig")
        click.echo(
            f"{len(queue)} rows are in {output}. Fill in the column verdict, delete the rows you "
            f"did not judge, and run: kedro run{f' --env {env}' if env else ''} --params "
            f"mended_csv={output}"
        )


@cli.command()
@click.argument("run_a")
@click.argument("run_b")
@click.option("--env", "-e", default=None, help="Kedro environment of the verdict's parameters.")
@click.option("--json", "to", type=click.Path(path_type=Path), help="Write the comparison here.")
@click.pass_obj
def compare(
    metadata: ProjectMetadata, run_a: str, run_b: str, env: str | None, to: Path | None
) -> None:
    """Print what differs between two runs, and the paired difference of every metric.

    A run is named by MLflow's id or Kedro's timestamp, or the start of either.
    """
    from kd_kedro.past_runs import compare_past_runs
    from kd_kedro.past_runs_terminal import print_comparison

    with _one_sentence(metadata.project_path), _context(metadata.project_path, env) as context:
        comparison = compare_past_runs(context, run_a, run_b)
        print_comparison(comparison)
        if to:
            text = json.dumps(comparison, indent=1, ensure_ascii=False) + "\n"
            to.write_text(text, encoding="utf-8")


@cli.command()
@click.argument("run_id")
@click.pass_obj
def reproduce(metadata: ProjectMetadata, run_id: str) -> None:
    """Run a past run again and say whether it makes the same; exit status 1 where it does not.

    A run is named by MLflow's id or Kedro's timestamp, or the start of either.
    """
    from kd_kedro.past_runs import (
        agreement_of,
        check_reproducible,
        marked_as_repetition,
        recipe_to_reproduce,
    )
    from kd_kedro.past_runs_terminal import print_agreement

    project = metadata.project_path
    with _one_sentence(project):
        with _context(project, None) as context:
            run, recipe = recipe_to_reproduce(context, run_id)
        with _context(project, recipe.env, recipe.params) as context:
            check_reproducible(context, recipe)
        with (
            settings.SESSION_CLASS.create(
                project_path=project, env=recipe.env, runtime_params=recipe.params
            ) as session,
            marked_as_repetition(run, settings.HOOKS),
        ):
            session.run(**recipe.command, load_versions=recipe.loaded)
            timestamp = session.session_id
        with _context(project, recipe.env) as context:
            outcome = agreement_of(context, run, recipe, timestamp)
        print_agreement(outcome)
    if not outcome["agrees"]:
        raise SystemExit(1)


@cli.command()
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
    from kd_kedro.past_runs import choose_versions
    from kd_kedro.past_runs_terminal import print_choices
    from kd_kedro.pruning import delete

    with _one_sentence(metadata.project_path), _context(metadata.project_path, env) as context:
        choices = choose_versions(context, keep_last, forgotten=forgotten)
        if yes:
            delete(choices)
        print_choices(choices, deleted=yes)


@cli.command()
@click.argument("run_id", required=False)
@click.option("--dry-run", is_flag=True, help="Decide and say it; change nothing.")
@click.option("--env", "-e", default=None, help="Kedro environment that the run was made in.")
@click.option(
    "--params",
    type=click.UNPROCESSED,
    default="",
    callback=_split_params,
    help="Parameters, as for `kedro run`.",
)
@click.pass_obj
def promote(
    metadata: ProjectMetadata,
    run_id: str | None,
    dry_run: bool,
    env: str | None,
    params: dict[str, Any],
) -> None:
    """Register a run's student with MLflow; it becomes champion where it has earned it.

    RUN_ID is MLflow's id or Kedro's timestamp; without it, the latest run with a verdict.
    """
    from kd_kedro.promotion import promote_run

    project = metadata.project_path
    with _one_sentence(project), _context(project, env, params) as context:
        click.echo(promote_run(context, run_id, dry_run=dry_run))


@cli.command()
@click.pass_context
def lineage(context: click.Context) -> None:
    """Build the lineage graph as static pages in build/, without paths of this machine.

    `kedro viz build` alone writes the absolute path of every dataset into its pages.
    """
    from kedro_viz.launchers.cli.build import build

    project: Path = context.obj.project_path
    context.invoke(build, include_hooks=False, include_previews=False)
    for page in (project / "build" / "api").rglob("*"):
        if page.is_file():
            text = page.read_text(encoding="utf-8")
            here = project.as_posix()
            text = text.replace(f"{here}/", "").replace(here, ".")
            page.write_text(text, encoding="utf-8")


@contextmanager
def _one_sentence(project: Path) -> Iterator[None]:
    """Set up the terminal; what goes wrong is one sentence on it and a traceback in the log."""
    _set_up_terminal(project)
    try:
        yield
    except KeyboardInterrupt:
        _end_interrupted()
    except Exception as error:
        logging.getLogger("kd_kedro.traceback").error(traceback.format_exc())
        click.secho(f"Error: {sentence(error)}", fg="red", err=True)
        raise SystemExit(1) from None


def _end_interrupted() -> NoReturn:
    """End what Ctrl-C has stopped as an error would: hooks hear of errors alone."""
    click.secho(
        "Interrupted: what was finished is kept, what was begun is removed.", fg="red", err=True
    )
    for hook in settings.HOOKS:
        if hasattr(hook, "on_interrupt"):
            hook.on_interrupt()
    raise SystemExit(130) from None  # 128 + SIGINT, as shells have it


def _set_up_terminal(project: Path) -> Path:
    """Show the project's own lines on the terminal; send everything else to the log file."""
    log = project / LOG_FILE
    log.parent.mkdir(exist_ok=True)
    file = RotatingFileHandler(log, maxBytes=10_000_000, backupCount=3, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    terminal = logging.StreamHandler()
    terminal.setFormatter(logging.Formatter("%(message)s"))
    terminal.addFilter(lambda record: record.name.startswith(_SPOKEN))
    logging.raiseExceptions = False  # a full disk must not print a traceback for every log line
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    logging.basicConfig(level=logging.INFO, handlers=[file, terminal], force=True)
    for name in list(logging.root.manager.loggerDict):
        # Libraries that brought handlers of their own would speak past the filter.
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    return log


@contextmanager
def _catalog(
    project: Path, env: str | None, params: dict[str, Any] | None = None
) -> Iterator[DataCatalog]:
    """Give the project's catalog, read outside a run."""
    with _context(project, env, params) as context:
        yield context.catalog


@contextmanager
def _context(project: Path, env: str | None, params: dict[str, Any] | None = None) -> Iterator[Any]:
    with settings.SESSION_CLASS.create(
        project_path=project, env=env, runtime_params=params
    ) as session:
        yield session.load_context()


def _tuned(project: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Return the run's parameters with those a study found best, and say which."""
    from kd_kedro.freshness import artifact_nodes
    from kd_kedro.hooks import registered
    from kd_kedro.tuned import tuned_parameters

    explicit = options["params"] or {}
    with settings.SESSION_CLASS.create(
        project_path=project,
        env=options["env"],
        conf_source=options["conf_source"],
        runtime_params=explicit,
    ) as session:
        context = session.load_context()
        full = artifact_nodes(registered().values(), context.catalog)
        config = context.config_loader["catalog"]
        params, line = tuned_parameters(context.catalog, config, full, explicit)
    click.echo(line)
    return params


def _show_outcome(project: Path, options: dict[str, Any]) -> None:
    """Print the waterfall and, where the run reached it, the verdict and where to look next."""
    from kd_kedro.terminal import print_outcome

    with _catalog(project, options.get("env")) as catalog:
        chosen = options["pipelines"] or [options["pipeline"] or "__default__"]
        if any(options[name] for name in _PARTS):
            chosen = []  # a part of a pipeline need not have reached its tables
        print_outcome(catalog, chosen, project)
