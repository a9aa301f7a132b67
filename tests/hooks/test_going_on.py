"""A doubt is said once; who is asked and answers no has kept what was made before."""

import io
from pathlib import Path

import click
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from kd_kedro.curation.records.schema import SPLIT, table
from kd_kedro.hooks.going_on import GoingOnHooks
from kd_kedro.pipelines.evaluation.params import EvaluationParams
from kd_kedro.runs.parameter_check import with_groups

ROOT = Path(__file__).resolve().parents[2]
ROWS = table(SPLIT, [("r", "f", "test", "original", "?", "!", "sheet.csv")])
PARAMETERS = {
    "params:evaluation": with_groups(EvaluationParams, {}),
    "params:augmentation.split": {},
    "params:distillation.seeds": {"count": 3},
}
PIPELINE = Pipeline(
    [
        Node(lambda: (ROWS, "events"), None, ["split_qa", "split_events"], name="split"),
        Node(lambda rows: rows, "split_qa", "augmented_qa", name="augment"),
        Node(lambda rows: "model", "augmented_qa", "student", name="train"),
    ]
)


class Terminal(io.StringIO):
    """An input that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _project() -> None:
    bootstrap_project(ROOT)
    pipelines.set_requested(None)


def new_catalog() -> DataCatalog:
    """Return a catalog with the parameters, and a place for what the nodes make."""
    made = {name: MemoryDataset() for name in PIPELINE.all_outputs()}
    return DataCatalog({name: MemoryDataset(value) for name, value in PARAMETERS.items()} | made)


def run(hook: GoingOnHooks, catalog: DataCatalog) -> None:
    """Run the three nodes under the hook."""
    manager = _create_hook_manager()
    manager.register(hook)
    manager.hook.before_pipeline_run(run_params={}, pipeline=PIPELINE, catalog=catalog)
    SequentialRunner().run(PIPELINE, catalog, manager)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == "kd_kedro.hooks.going_on"]


@pytest.mark.parametrize(
    ("yes", "stdin", "stderr", "how"),
    [
        (True, Terminal("n\n"), Terminal(), "without asking"),
        (False, io.StringIO("n\n"), Terminal(), "no terminal to ask on"),
        (False, Terminal("n\n"), io.StringIO(), "no terminal to ask on"),  # kedro run > log 2>&1 &
        (False, None, None, "no terminal to ask on"),  # a service, which has neither
    ],
)
def test_it_goes_on_where_it_is_told_to_or_nobody_can_be_asked(
    yes: bool,
    stdin: io.StringIO | None,
    stderr: io.StringIO | None,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setattr("sys.stderr", stderr)
    hook, catalog = GoingOnHooks(), new_catalog()
    hook.yes = yes
    run(hook, catalog)
    assert catalog.load("student") == "model"
    doubt, going_on = said(caplog)  # once, though two nodes read the split rows
    assert doubt.startswith("This run is too small to be judged: 1 of 1 families")
    assert how in going_on


def test_yes_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    catalog = new_catalog()
    run(GoingOnHooks(), catalog)
    assert catalog.load("student") == "model"
    assert terminal.getvalue().count("[y/N]") == 1


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_no_stops_before_anything_is_made_of_the_rows_and_keeps_them(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", Terminal())
    catalog = new_catalog()
    with pytest.raises(click.ClickException, match=r"stopped before augment, as you answered"):
        run(GoingOnHooks(), catalog)
    assert catalog.load("split_qa").equals(ROWS)
    assert catalog.load("split_events") == "events"
    assert not catalog.exists("augmented_qa")


def test_a_second_run_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    hook = GoingOnHooks()
    hook.yes = True
    run(hook, new_catalog())
    run(hook, new_catalog())
    assert len(said(caplog)) == 4
