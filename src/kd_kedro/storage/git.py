"""What git says of the project's code."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# What decides, with data and parameters, what comes of a run: no sheet, queue or page is among it.
CODE = ("src", "conf", "pyproject.toml")


def ask_git(project: Path, *words: str) -> str | None:
    """Return what git says, None where there is no git, no repository or no answer."""
    command = ["git", "-C", str(project), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        print("git did not answer: what it would say is not known", file=sys.stderr)
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def changed_files(project: Path, parts: Sequence[str]) -> str:
    """Return what `git status` says; where it does not answer, that: the tree may be anything.

    Args:
        project: The project's folder.
        parts: Files and folders of it that are looked at; the others may be anything.
    """
    said = ask_git(project, "status", "--porcelain", "--", *parts)
    return "?? git status did not answer" if said is None else said


def git(project: Path, *words: str) -> str:
    """Return what git says, or nothing where there is no git or no repository."""
    return ask_git(project, *words) or ""
