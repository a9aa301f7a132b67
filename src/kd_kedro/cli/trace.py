"""`kedro trace`: the life of a row."""

import click
from kedro.framework.startup import ProjectMetadata

from kd_kedro.cli.session import one_sentence, open_catalog


@click.command()
@click.argument("row_id")
@click.option("--env", "-e", default=None, help="Kedro environment, as for `kedro run`.")
@click.pass_obj
def trace(metadata: ProjectMetadata, row_id: str, env: str | None) -> None:
    """Print the life of a row: what each stage did to it, and its text where it changed."""
    from kd_kedro.cli.terminal import print_trace
    from kd_kedro.curation.records.lineage import trace as trace_row

    with one_sentence(metadata.project_path), open_catalog(metadata.project_path, env) as catalog:
        if not catalog.exists("row_events"):
            raise ValueError("row_events has not been made yet: run `kedro run` first")
        print_trace(row_id, trace_row(catalog.load("row_events"), row_id), catalog)
