"""Run the project's commands in a copy of it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Runs many commands in one process: importing what a run needs takes longer than a small run.
DRIVER = """
import contextlib, io, json, pathlib, sys
from kedro.framework.cli.cli import KedroCLI
outcomes = []
for command in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out, \\
            contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            KedroCLI(pathlib.Path.cwd()).main(command)
            code = 0
        except SystemExit as exit:
            code = exit.code or 0
    outcomes.append({"code": code, "out": out.getvalue(), "err": err.getvalue()})
json.dump(outcomes, sys.stdout)
"""


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
        timeout=300,
        check=False,
    )


def run_commands(project: Path, commands: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Run kedro commands one after the other in one process; return code, out and err of each."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(commands),
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    outcomes: list[dict[str, Any]] = json.loads(done.stdout)
    return outcomes


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
