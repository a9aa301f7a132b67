"""Tables as files for others: `kedro review-queue` for a reviewer, `kedro export` for a trainer."""

import csv
from pathlib import Path

import click
import pandas as pd
from kedro.framework.startup import ProjectMetadata

from kd_kedro.cli.options import Command
from kd_kedro.cli.session import one_sentence, open_context
from kd_kedro.curation.duplicates.families import SPLITS
from kd_kedro.runs.environments import kedro_command

EXPORTED = ("augmented_qa", "training_examples", "validation_examples", "held_out_examples")
ALL = "all"


@click.command("review-queue", cls=Command)
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
    from kd_kedro.runs.provenance import no_version

    with one_sentence(metadata.project_path):
        with open_context(metadata.project_path, env) as context:
            catalog, run = context.catalog, kedro_command("run", context.env)
            if not catalog.exists("review_queue"):
                raise ValueError(f"{no_version('review_queue', catalog)}: run `{run}` first")
            if output.exists():
                raise ValueError(f"{output} is there already: name another --output")
            queue = catalog.load("review_queue").head(rows)
            if queue.empty:
                raise ValueError(
                    "the review queue is empty: no verdict differs from the model's, and no row is "
                    "near its threshold"
                )
            # The mark at its start tells spreadsheet programs that the file is UTF-8.
            queue.to_csv(output, index=False, quoting=csv.QUOTE_ALL, encoding="utf-8-sig")
        click.echo(
            f"{len(queue)} rows are in {output}. Fill in the column verdict, delete the rows you "
            f"did not judge, and run: {run} --params mended_csv={output} (with the other --params "
            "of the run that these rows are of, its qa_csv among them)"
        )


@click.command(cls=Command)
@click.argument("table", type=click.Choice(EXPORTED))
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice((*SPLITS, ALL)),
    default=None,
    help="Rows of this split alone. Left out: train, or all rows of a table that has none of it.",
)
@click.option("--env", "-e", default=None, help="Kedro environment, as for `kedro run`.")
@click.pass_obj
def export(
    metadata: ProjectMetadata, table: str, output: Path, split: str | None, env: str | None
) -> None:
    """Write TABLE as conversations (`messages`) to OUTPUT, a .jsonl or .parquet file.

    TRL's SFTTrainer and `datasets.load_dataset` read it as it is. Rows that are held out from
    training stay out unless --split asks for them. A row's system message is its first message;
    other further columns of the sheet are left out.
    """
    from kd_kedro.pipelines.distillation.params import ExampleParams
    from kd_kedro.runs.provenance import no_version
    from kd_kedro.training.examples import make_examples
    from kd_kedro.training.messages import as_messages, write_messages

    with one_sentence(metadata.project_path):
        with open_context(metadata.project_path, env) as context:
            catalog = context.catalog
            if not catalog.exists(table):
                run = kedro_command("run", context.env)
                raise ValueError(f"{no_version(table, catalog)}: run `{run}` first")
            if output.exists():
                raise ValueError(f"{output} is there already: name another OUTPUT")
            params = ExampleParams.model_validate(
                catalog.load("parameters")["distillation"]["examples"]
            )
            rows = catalog.load(table)
            chosen = _of_split(rows, table, split)
            others = rows["split"].drop(chosen.index).value_counts()
            if "fields" not in chosen:
                chosen = make_examples(chosen, params.fields)
            write_messages(as_messages(chosen, params.prompt_format), output)
        out = f"; {others.sum()} rows stayed out ({_counted(others)})" if len(others) else ""
        click.echo(
            f"{len(chosen)} rows of {table} are in {output}, each a list of messages "
            f"({_counted(chosen['split'].value_counts())}){out}"
        )


def _of_split(rows: pd.DataFrame, table: str, split: str | None) -> pd.DataFrame:
    """Return the rows of a split, of train where none is named and the table has rows of it.

    Raises:
        ValueError: The table has no row of the split.
    """
    known = list(rows["split"].unique())
    split = split or (SPLITS[0] if SPLITS[0] in known else ALL)
    if split not in (ALL, *known):
        raise ValueError(
            f"{table} has no row of the split {split}, only of {', '.join(known)}: name another "
            "--split"
        )
    return rows if split == ALL else rows[rows["split"] == split]


def _counted(splits: "pd.Series[int]") -> str:
    return ", ".join(f"{name}: {count}" for name, count in splits.items())
