"""Commands and scripts in processes of their own, forked from one that has imported the libraries.

Importing what a run needs takes longer than a small run. What is forked has imported nothing of
this project: it imports it from where a new interpreter would.
"""

import gc
import io
import multiprocessing
import os
import resource
import runpy
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Outcome = dict[str, Any]  # code, out and err of a command
Work = Callable[[Sequence[str]], object]

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        # Not kedro.framework.project: it configures logging by what lies in the working directory.
        "kedro.config",
        "kedro.io",
        "mlflow.store.tracking.sqlalchemy_store",
        "plotly.express",
        "rouge_score.rouge_scorer",
        "sentence_transformers",
        "sklearn.linear_model",
        "torch",
        "transformers.models.gpt2.modeling_gpt2",
    ]
)


class Started:
    """Commands that run one after the other in a process of their own."""

    def __init__(self, process: Any, answers: Connection) -> None:
        self._process = process
        self._answers = answers

    def running(self) -> bool:
        """Return whether the last command has not ended."""
        return not self._answers.poll()

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Do what Ctrl-C does, or send another signal."""
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End the process at once and wait for its end."""
        self._process.kill()
        self._process.join()

    def outcomes(self, timeout: float = 1200) -> list[Outcome]:
        """Wait for the last command; return what became of each.

        Raises:
            AssertionError: The process was killed, or did not end in time.
        """
        try:
            assert self._answers.poll(timeout), f"no end after {timeout} s"
            told: list[Outcome] = self._answers.recv()
        except EOFError:
            self._process.join()
            raise AssertionError(f"ended with {self._process.exitcode}") from None
        finally:
            self.kill()
        return told


def start(
    work: Work,
    commands: Sequence[Sequence[str]],
    folder: Path,
    environment: Mapping[str, str],
    largest_file: int = resource.RLIM_INFINITY,
) -> Started:
    """Begin to run commands in a folder.

    Args:
        work: Runs a command: `kedro`, `script` or `module`.
        commands: The words of each.
        folder: Where they are run.
        environment: All environment variables.
        largest_file: Bytes past which no file may grow.
    """
    answers, answer = FORKS.Pipe(duplex=False)
    given = (answer, work, commands, folder, dict(environment), largest_file)
    process = FORKS.Process(target=_run, args=given)
    process.start()
    answer.close()
    return Started(process, answers)


def kedro(words: Sequence[str]) -> None:
    """Run a command of the project in the working directory."""
    from kedro.framework.cli.cli import KedroCLI

    KedroCLI(Path.cwd()).main(list(words))


def script(words: Sequence[str]) -> None:
    """Run a Python file, named by the first word."""
    sys.argv = list(words)
    sys.path.insert(0, str(Path(words[0]).parent))
    runpy.run_path(words[0], run_name="__main__")


def module(words: Sequence[str]) -> None:
    """Run a module as `python -m` does."""
    sys.argv = list(words)
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def _run(
    answer: Connection,
    work: Work,
    commands: Sequence[Sequence[str]],
    folder: Path,
    environment: dict[str, str],
    largest_file: int,
) -> None:
    gc.freeze()  # what is imported is no garbage: collections need not look at it
    # A suite in the background of a script was started with these ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", line_buffering=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", line_buffering=True)
    answer.send([_outcome(work, words) for words in commands])


def _outcome(work: Work, words: Sequence[str]) -> Outcome:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        code = _exit_status(work, words)
        sys.stdout.flush()
        sys.stderr.flush()
        return {"code": code, "out": _text(out), "err": _text(err)}


def _exit_status(work: Work, words: Sequence[str]) -> int:
    """Run a command and return the exit status that an interpreter would end with."""
    try:
        work(words)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        return 1
    return 0


def _text(file: Any) -> str:
    file.seek(0)
    content: bytes = file.read()
    return content.decode("utf-8", errors="replace")
