"""`kedro run`: Kedro's own, with `--tuned`, errors in one sentence, and what came out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as stock_run
from kedro.framework.project import pipelines, settings
from kedro.framework.startup import ProjectMetadata

from kd_kedro.cli.options import Command, read_config
from kd_kedro.cli.session import (
    PARAMS,
    end_interrupted,
    find_hook,
    print_sentence,
    set_up_terminal,
)
from kd_kedro.hooks.going_on import GoingOnHooks
from kd_kedro.hooks.outcome import OutcomeHooks

_NODE_OPTIONS = ("node_names", "from_nodes", "to_nodes")


def _run(tuned: bool, yes: bool, **options: Any) -> None:
    metadata: ProjectMetadata = click.get_current_context().obj
    log = set_up_terminal(metadata.project_path)
    try:
        if "ParallelRunner" in (options["runner"] or ""):
            raise ValueError(
                "--runner=ParallelRunner cannot be used: MLflow, the recipe and the check of stale "
                "artifacts see nothing of what other processes save; leave --runner out "
                "(distillation.training.num_processes trains in several processes)"
            )
        _check_pipelines(options["pipelines"] or [options["pipeline"] or "__default__"])
        if tuned:
            options["params"] = _tuned(metadata.project_path, options)
        options |= {name: _whole_names(options[name] or ()) for name in _NODE_OPTIONS}
        find_hook(GoingOnHooks).yes = yes
        stock_run.callback(**options)  # type: ignore[misc]
        _show_outcome()
    except (KeyboardInterrupt, SystemExit) as ended:
        end_interrupted(ended)
    except Exception as error:
        print_sentence(error)
        if log and not isinstance(error, click.ClickException):
            click.echo(f"(traceback: {log})", err=True)
        raise SystemExit(1) from None


run = Command(
    "run",
    params=[
        *(option for option in stock_run.params if option.name not in ("config", "params")),
        click.Option(
            ["--config", "-c"],
            type=click.Path(exists=True, dir_okay=False, resolve_path=True),
            callback=read_config,
            help="A YAML file with options of the run; those given here win.",
        ),
        click.Option(["--params"], **PARAMS),
        click.Option(
            ["--tuned"],
            is_flag=True,
            help="Take the values that `kedro run --pipelines tuning` found best; --params win.",
        ),
        click.Option(
            ["--yes"],
            is_flag=True,
            help="Go on without asking where the rows are too few for a verdict.",
        ),
    ],
    help="Run the pipelines: `kedro run` is the main job, `--pipelines NAMES` a part of it.",
    callback=_run,
)


def _check_pipelines(names: Sequence[str]) -> None:
    """Raise ValueError, with those that there are, for the name of no pipeline."""
    for name in names:
        if name not in pipelines:
            known = ", ".join(sorted(set(pipelines) - {"__default__"}))
            raise ValueError(f"there is no pipeline {name!r}: name some of {known}")


def _whole_names(names: Sequence[str]) -> list[str]:
    """Return nodes by their whole names, namespaces included, where they are named without.

    With a node come those that put the parameters together that it reads: without them it would
    read the parameters of an earlier run.
    """
    whole = {node.name: node for name in pipelines for node in pipelines[name].nodes}
    nodes = {node.short_name: node for node in whole.values()} | whole
    from_parameters = {
        output: node.name
        for node in whole.values()
        if all(name.startswith("params:") for name in node.inputs)
        for output in node.outputs
    }
    chosen: list[str] = []
    for name in names:
        node = nodes.get(name)
        if node is not None:
            chosen += [from_parameters[read] for read in node.inputs if read in from_parameters]
        chosen.append(name if node is None else node.name)
    return list(dict.fromkeys(chosen))


def _tuned(project: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Return the run's parameters with those a study found best, and say which."""
    from kd_kedro.cli.tuned import tuned_parameters
    from kd_kedro.runs.provenance import artifact_nodes
    from kd_kedro.runs.registered import operational_parameters, registered

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
        params, line = tuned_parameters(
            context.catalog, config, full, explicit, operational_parameters(), context.env
        )
    click.echo(line)
    return params


def _show_outcome() -> None:
    """Print the rows, the verdict and where to look next, as far as the run reached them."""
    from kd_kedro.cli.terminal import print_outcome

    hook = find_hook(OutcomeHooks)
    if hook.catalog is not None:
        print_outcome(hook.catalog, hook.saved, hook.env)
