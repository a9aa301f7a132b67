"""What every command shares: the project's context, the terminal, errors in one sentence."""

import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import click
import yaml
from kedro.config import MissingConfigException
from kedro.framework.project import configure_logging, settings
from kedro.io import DataCatalog
from kedro.utils import find_kedro_project

from kd_kedro.cli.errors import sentence
from kd_kedro.runs.parameter_text import read_parameters_of


def _read_params(context: click.Context, option: click.Parameter, given: Any) -> dict[str, Any]:
    if isinstance(given, dict):  # `kedro run --config` hands over what its file says
        return given
    try:
        return read_parameters_of(given)
    except ValueError as error:
        raise click.UsageError(str(error), context) from error


# Settings of the option `--params`, the same for every command.
PARAMS: dict[str, Any] = {
    "type": click.UNPROCESSED,
    "default": "",
    "callback": _read_params,
    "help": "Parameters of this run: key=value,key=[value,value].",
}

# `kill` and batch systems send the first, a terminal that is closed the second.
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

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
    except (KeyboardInterrupt, SystemExit) as ended:
        end_interrupted(ended)
    except Exception as error:
        print_sentence(error)
        raise SystemExit(1) from None


def print_sentence(error: BaseException) -> None:
    """Print what went wrong as one sentence, and write its traceback to the log."""
    logging.getLogger("kd_kedro.traceback").error("".join(traceback.format_exception(error)))
    click.secho(f"Error: {sentence(error)}", fg="red", err=True)


def on_uncaught_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print, as Python's `sys.excepthook`, one sentence: an error in a command that is not ours."""
    project = find_kedro_project(Path.cwd())
    if project is None or not isinstance(error, Exception):
        return sys.__excepthook__(kind, error, trace)
    set_up_terminal(project)
    print_sentence(error)
    return None


def check_configuration(
    project: Path, env: str | None = None, params: dict[str, Any] | None = None
) -> None:
    """Refuse a configuration that cannot be used, without a session and its hooks.

    Raises:
        ValueError: An environment, parameter or catalog entry is wrong.
    """
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=str(project / settings.CONF_SOURCE),
        env=env or os.environ.get("KEDRO_ENV"),
        runtime_params=params,
        **settings.CONFIG_LOADER_ARGS,
    )
    loader["parameters"]
    try:
        credentials = loader["credentials"]
    except MissingConfigException:
        credentials = {}
    catalog = DataCatalog.from_config(loader["catalog"], credentials)
    for name in catalog:
        catalog.get(name)


def end_interrupted(ended: BaseException) -> NoReturn:
    """End what a signal has stopped as an error would: hooks hear of errors alone.

    Args:
        ended: KeyboardInterrupt (Ctrl-C), or SystemExit with 128 and the number of another signal,
            as shells have it; any other SystemExit goes its way.
    """
    code = ended.code if isinstance(ended, SystemExit) else 128 + signal.SIGINT
    if code not in {128 + number for number in (signal.SIGINT, *_ENDING)}:
        raise ended
    click.secho(
        "Interrupted: what was finished is kept, what was begun is removed.", fg="red", err=True
    )
    for hook in settings.HOOKS:
        if hasattr(hook, "on_interrupt"):
            hook.on_interrupt()
    raise SystemExit(code) from None


def heed_signals() -> None:
    """Let the signals that end a process raise SystemExit, so that what was begun is removed."""
    if threading.current_thread() is not threading.main_thread():
        return
    owner = os.getpid()

    def end(number: int, _: Any) -> None:
        if os.getpid() == owner:
            raise SystemExit(128 + number)
        signal.signal(number, signal.SIG_DFL)  # a child that was forked has nothing to remove
        os.kill(os.getpid(), number)

    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` ignores one: so do we
            signal.signal(number, end)


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
    heed_signals()
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
def open_context(
    project: Path, env: str | None, params: dict[str, Any] | None = None
) -> Iterator[Any]:
    """Give the project's Kedro context, outside a run."""
    with settings.SESSION_CLASS.create(
        project_path=project, env=env, runtime_params=params
    ) as session:
        yield session.load_context()
