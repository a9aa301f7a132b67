"""What all tests share: where things are, what they are marked, in which order they run."""

import functools
import gc
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
ABSENT_DATA = "shared data absent"

# Files and folders whose tests train models or start processes: `make test-fast` leaves them out.
MARKED = {
    "training": [
        "benchmarks",
        "end_to_end",
        "models/test_adapters.py",
        "pipelines/distillation",
        "pipelines/evaluation/test_evaluation_pipeline.py",
        "pipelines/evaluation/test_lm_eval_tasks.py",
        "pipelines/tuning",
        "registry/test_promote.py",
        "training/loop",
        "training/planning",
    ],
    "subprocess": [
        "benchmarks",
        "cli/test_other_commands.py",
        "cli/test_session.py",
        "end_to_end",
        "generation/llm/test_llm_generator.py",
        "generation/llm/test_model_server.py",
        "hooks/test_run_lock.py",
        "pipelines/evaluation/test_lm_eval_tasks.py",
        "pipelines/tuning",
        "runs/test_reproduce.py",
        "training/loop/test_launch.py",
    ],
}
# The longest first, so that no worker is left with one of them at the end. A worker takes a file
# whole, since its tests share what is made for them: while one makes the finished project of the
# end-to-end tests, the other runs benchmarks.
FIRST = [
    "end_to_end/test_run.py",
    "benchmarks",
    "end_to_end",
    "pipelines/distillation",
    "pipelines/tuning",
    "training/loop",
    "pipelines",
    "registry",
]

gc.disable()  # imports of test modules make no garbage, and looking for it takes seconds

# A property that holds slowly on a busy machine still holds.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")
os.environ["DO_NOT_TRACK"] = "1"
# `make test` runs two workers: one thread each, in what they start too, or they stand in each
# other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure() -> None:
    for place in [*FIRST, *itertools.chain(*MARKED.values())]:
        if not (TESTS / place).exists():
            raise pytest.UsageError(f"tests/conftest.py names {place}, which is not in tests/")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import what `make test-fast` leaves out as a whole: it takes seconds."""
    left_out = config.option.markexpr.removeprefix("not (").removesuffix(")").split(" or ")
    places = [place for mark in left_out for place in MARKED.get(mark, [])]
    return any(collection_path.is_relative_to(TESTS / place) for place in places) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests and put the longest first."""
    for item in items:
        for mark in _marks(item.path):
            item.add_marker(mark)
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
    items.sort(key=lambda item: _rank(item.path))


def pytest_collection_finish() -> None:
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Give models with random weights the same ones in every session.

    With others two answers can be so nearly as likely that rounding decides between them.
    """
    import torch

    torch.manual_seed(0)


@functools.cache
def _marks(file: Path) -> list[str]:
    return [
        mark
        for mark, places in MARKED.items()
        if any(file.is_relative_to(TESTS / place) for place in places)
    ]


@functools.cache
def _rank(file: Path) -> int:
    return next(
        (n for n, place in enumerate(FIRST) if file.is_relative_to(TESTS / place)), len(FIRST)
    )


@pytest.fixture(scope="module", autouse=True)
def frozen_objects() -> None:
    """Spare the garbage collector what imports have made.

    Every training ends with a collection, which would take as long as a training of four steps.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that the workers of a session have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


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
