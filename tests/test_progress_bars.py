"""Bars are drawn on a terminal alone: what goes to a file has no carriage returns."""

import ast
import io
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

SOURCES = Path(__file__).resolve().parents[1] / "src"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def bars() -> list[tuple[str, ast.Call]]:
    """Return every call that makes a bar, with the file and line it stands in."""
    return [
        (f"{path.relative_to(SOURCES)}:{node.lineno}", node)
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in ("tqdm", "trange")
    ]


def test_every_bar_asks_whether_it_is_on_a_terminal() -> None:
    found = bars()
    assert found
    for place, call in found:
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert given.get("disable", "").endswith("None"), place


@pytest.mark.parametrize(("stream", "drawn"), [(io.StringIO(), False), (Terminal(), True)])
def test_a_training_draws_its_bar_on_a_terminal_alone(
    stream: io.StringIO,
    drawn: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from kd_kedro.training.loop.progress_bar import ProgressBar

    monkeypatch.setattr("sys.stderr", stream)
    state = SimpleNamespace(max_steps=2, global_step=0)
    bar = ProgressBar("the student")
    with caplog.at_level(logging.INFO, "kd_kedro"):
        bar.on_train_begin(None, state, None)
        state.global_step = 1
        bar.on_step_end(None, state, None)
        bar.on_log(None, state, None, logs={"loss": 3.0})
        bar.on_log(None, state, None, logs={"eval_loss": 2.5})
        bar.on_train_end(None, state, None)
    assert ("\r" in stream.getvalue()) is drawn
    assert [each.getMessage() for each in caplog.records if each.name.startswith("kd_kedro")] == [
        "the student: step 1 of 2, validation loss 2.500"
    ]
