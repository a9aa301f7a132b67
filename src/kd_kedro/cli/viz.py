"""`kedro lineage`: the lineage graph as static pages."""

from pathlib import Path

import click


@click.command()
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
