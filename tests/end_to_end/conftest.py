"""One run of the whole graph, in a copy of the project."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.end_to_end.harness import copy_project, run_kedro


@pytest.fixture(scope="session")
def finished(common_folder: Path) -> tuple[Path, str]:
    """A copy of the project in which `kedro run --env test` has ended, and what it printed.

    It is made once, whatever the number of workers: a test that changes it takes a copy.
    """
    project, printed = common_folder / "finished", common_folder / "finished.txt"
    with FileLock(common_folder / "finished.lock"):
        if not printed.is_file():
            shutil.rmtree(project, ignore_errors=True)
            project.mkdir()
            done = run_kedro(copy_project(project), "run", "--env", "test")
            assert done.returncode == 0, done.stderr[-3000:]
            printed.write_text(done.stdout, encoding="utf-8")
    return project, printed.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project(finished: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished project that the tests of a file may change."""
    target = tmp_path_factory.mktemp("changed") / "project"
    shutil.copytree(finished[0], target)
    return target
