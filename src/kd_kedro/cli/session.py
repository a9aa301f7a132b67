"""What every command shares: the project's context, the terminal, errors in one sentence."""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import yaml
from kedro.framework.project import configure_logging, settings
from kedro.io import DataCatalog

from kd_kedro.cli.errors import sentence

Hook = TypeVar("Hook")
# What keeps the bars of libraries out of a file; they read it when they are imported, and so do the
# processes that a run starts. Our own bars ask the stream they are drawn on.
_NO_BARS = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "TQDM_DISABLE": "1",
}


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


def find_hook(kind: type[Hook]) -> Hook:
    """Return the project's hook of a kind.

    Raises:
        LookupError: settings.py names none.
    """
    for hook in settings.HOOKS:
        if isinstance(hook, kind):
            return hook
    raise LookupError(f"HOOKS of settings.py names no {kind.__name__}")


def set_up_terminal(project: Path) -> Path | None:
    """Apply the project's logging configuration, and let warnings go the way it says.

    Kedro has applied it already, but from the project's folder alone, and libraries that were
    imported since have brought handlers of their own. Where errors do not go to a terminal, no
    library draws a progress bar.

    Returns:
        The log file; None where the configuration has none.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        for name, value in _NO_BARS.items():
            os.environ.setdefault(name, value)
    logging.raiseExceptions = False  # a full disk must not print a traceback for every log line
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    chosen = os.environ.get("KEDRO_LOGGING_CONFIG", project / "conf" / "logging.yml")
    configuration = yaml.safe_load(Path(chosen).read_text(encoding="utf-8"))
    with chdir(project):  # file names in it are relative to the project
        configure_logging(configuration)
    files = [each for each in logging.root.handlers if isinstance(each, logging.FileHandler)]
    if not files:
        return None
    log = Path(files[0].baseFilename)
    log.parent.mkdir(exist_ok=True)
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
