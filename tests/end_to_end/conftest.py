"""One run of the whole graph, in a copy of the project."""

from pathlib import Path

import pytest

from tests.end_to_end.harness import copy_project, run_kedro


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests of a file that look at the finished run together: they share copies of it."""
    for item in items:
        if "finished" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(item.path.name))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the project in which `kedro run --env test` has ended, and what it printed."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    done = run_kedro(project, "run", "--env", "test")
    assert done.returncode == 0, done.stderr[-3000:]
    return project, done.stdout
