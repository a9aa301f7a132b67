"""What all tests share: where things are, and the rule that a skip is a failure in CI."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
ABSENT_DATA = "shared data absent"

os.environ["DO_NOT_TRACK"] = "1"
# `make test` runs two workers: one thread each, in what they start too, or they stand in each
# other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real public data; a test that needs it is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{ABSENT_DATA}: {SHARED_DATA.name}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; a test that needs one is skipped where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium on this machine")


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """In CI nothing may be skipped but what needs absent shared data."""
    yield
    if os.environ.get("CI") != "true" or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    wrong = [reason for reason in skipped if ABSENT_DATA not in reason]
    if wrong:
        print("\nA skip is a failure here:", *wrong, sep="\n")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
