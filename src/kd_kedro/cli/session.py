"""What every command shares: the project's context, the terminal, errors in one sentence."""

import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, NoReturn

import click
from kedro.framework.project import settings
from kedro.io import DataCatalog

from kd_kedro.cli.errors import sentence

LOG_FILE = Path("logs") / "kedro.log"
_SPOKEN = (
    "kd_kedro.hooks",
    "kd_kedro.generation",
    "kd_kedro.pipelines.distillation",
    "kd_kedro.pipelines.tuning",
)  # whose log lines stand on the terminal


@contextmanager
def one_sentence(project: Path) -> Iterator[None]:
    """Set up the terminal; what goes wrong is one sentence on it and a traceback in the log."""
    set_up_terminal(project)
    try:
        yield
    except KeyboardInterrupt:
        end_interrupted()
    except Exception as error:
        logging.getLogger("kd_kedro.traceback").error(traceback.format_exc())
        click.secho(f"Error: {sentence(error)}", fg="red", err=True)
        raise SystemExit(1) from None


def end_interrupted() -> NoReturn:
    """End what Ctrl-C has stopped as an error would: hooks hear of errors alone."""
    click.secho(
        "Interrupted: what was finished is kept, what was begun is removed.", fg="red", err=True
    )
    for hook in settings.HOOKS:
        if hasattr(hook, "on_interrupt"):
            hook.on_interrupt()
    raise SystemExit(130) from None  # 128 + SIGINT, as shells have it


def set_up_terminal(project: Path) -> Path:
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
def open_catalog(
    project: Path, env: str | None, params: dict[str, Any] | None = None
) -> Iterator[DataCatalog]:
    """Give the project's catalog, read outside a run."""
    with open_context(project, env, params) as context:
        yield context.catalog


@contextmanager
def open_context(
    project: Path, env: str | None, params: dict[str, Any] | None = None
) -> Iterator[Any]:
    """Give the project's Kedro context, outside a run."""
    with settings.SESSION_CLASS.create(
        project_path=project, env=env, runtime_params=params
    ) as session:
        yield session.load_context()
