"""Run the project's commands in a copy of it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.processes import Outcome, Started, kedro, start

ROOT = Path(__file__).resolve().parents[2]


def environment(project: Path) -> dict[str, str]:
    """Return the environment in which a copy of the project imports its own package."""
    keep = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    return {**keep, "PYTHONPATH": str(project / "src"), "DO_NOT_TRACK": "1", "COLUMNS": "200"}


def run_kedro(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one kedro command in a project as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "kedro", *words],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def start_commands(project: Path, commands: Sequence[Sequence[str]], **limits: int) -> Started:
    """Begin to run kedro commands one after the other in one process."""
    return start(kedro, commands, project, environment(project), **limits)


def run_commands(project: Path, commands: Sequence[Sequence[str]], **limits: int) -> list[Outcome]:
    """Run kedro commands one after the other in one process; return code, out and err of each."""
    return start_commands(project, commands, **limits).outcomes()


def copy_project(target: Path) -> Path:
    """Copy what git would clone of the project, as it is now."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        wanted = (
            name.startswith(("conf/", "src/", "data/", "logs/", "notebooks/")) or "/" not in name
        )
        if wanted and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def latest(project: Path, name: str) -> Path:
    """Where the last version of a product lies."""
    versions = sorted((project / "data/test_env" / name).iterdir())
    return versions[-1] / Path(name).name
