"""`kedro lineage`, the lineage graph as static pages; and `kedro viz`, which ends where it must.

kedro-viz loads the project in a process of its own. An error there ends that process alone: `run`
then waits ten minutes for the page, `build` and `deploy` end with exit status 0. So the
configuration is looked at first.
"""

import shutil
from copy import copy
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from kedro_viz.launchers.cli.main import viz

from kd_kedro.cli.session import check_configuration, one_sentence

_COMMANDS = ("run", "build", "deploy")


def check_before_viz() -> None:
    """Let kedro-viz's group load the commands of this module, which check the project first."""
    viz.lazy_subcommands.update({name: f"{__name__}.{name}" for name in _COMMANDS})


def __getattr__(name: str) -> click.Command:
    """Return a command of kedro-viz that checks the project first; imported when it is needed."""
    if name not in _COMMANDS:
        raise AttributeError(name)
    stock: click.Command = getattr(import_module(f"kedro_viz.launchers.cli.{name}"), name)
    begin = stock.callback
    assert begin is not None

    def run(**options: Any) -> Any:
        project = click.get_current_context().obj.project_path
        with one_sentence(project):
            check_configuration(project, options.get("env"), options.get("params"))
        return begin(**options)

    checked = copy(stock)
    checked.callback = run
    return checked


@click.command()
@click.pass_context
def lineage(context: click.Context) -> None:
    """Build the lineage graph as static pages in build/, without paths of this machine.

    `kedro viz build` alone writes the absolute path of every dataset into its pages.
    """
    from kedro_viz.launchers.cli.build import build

    project: Path = context.obj.project_path
    with one_sentence(project):
        check_configuration(project)
    pages = project / "build" / "api"
    shutil.rmtree(pages, ignore_errors=True)
    context.invoke(build, include_hooks=False, include_previews=False)
    if not pages.is_dir():  # kedro-viz has said why, and ends as if it were done
        raise SystemExit(1)
    for page in pages.rglob("*"):
        if page.is_file():
            text = page.read_text(encoding="utf-8")
            here = project.as_posix()
            text = text.replace(f"{here}/", "").replace(here, ".")
            page.write_text(text, encoding="utf-8")
