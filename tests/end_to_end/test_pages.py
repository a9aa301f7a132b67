"""What people look at, in a real browser: lineage, runs side by side, the report."""

import functools
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mlflow
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.end_to_end.harness import environment, run_commands

Finished = tuple[Path, str]
PATIENCE = 600_000  # ms: on a busy machine a page takes minutes


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=quiet)
        yield browser
        browser.close()


def free_port() -> int:
    # kedro-viz refuses ports above 49151, which the system would give.
    for port in range(20_000, 30_000, 97):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


@contextmanager
def serve(project: Path, *command: str, port: int) -> Iterator[str]:
    """Run a server of the project until the block ends; give its address once it answers."""
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=project,
        env=environment(project),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(2400):
            try:
                urllib.request.urlopen(address, timeout=2).close()
                break
            except OSError:
                assert server.poll() is None, f"{command} ended with {server.returncode}"
                time.sleep(0.25)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # MLflow's server has children of its own
        server.wait(600)


def test_lineage_shows_every_stage_with_its_preview(finished: Finished, browser: Browser) -> None:
    project, _ = finished
    port = free_port()
    words = ("kedro", "viz", "run", "--no-browser", "--port", str(port), "--env", "test")
    with serve(project, *words, port=port) as address:
        with urllib.request.urlopen(f"{address}/api/main") as answer:
            graph = json.load(answer)
        data = {node["name"]: node["id"] for node in graph["nodes"] if node["type"] == "data"}
        assert graph["layers"], "kedro-viz found the layers in a cycle"
        assert [node["name"] for node in graph["nodes"] if node.get("layer") == ""] == []
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(address, timeout=PATIENCE)
        for name in ("converted_mcq", "augmented_qa", "verdict", "report"):
            page.wait_for_selector(f"text={name}", timeout=PATIENCE, state="attached")
        # A table and a plot, each in the panel that opens beside its node.
        page.goto(f"{address}/?sid={data['row_waterfall']}", timeout=PATIENCE)
        page.wait_for_selector("text=quarantined", timeout=PATIENCE)
        page.goto(f"{address}/?sid={data['waterfall_plot']}", timeout=PATIENCE)
        page.wait_for_selector(".js-plotly-plot", timeout=PATIENCE)
        page.close()


def test_the_built_lineage_carries_no_host_path(project: Path) -> None:
    [done] = run_commands(project, [["lineage"]])
    assert done["code"] == 0, done["err"][-2000:]
    api = project / "build" / "api"
    assert (api / "main").is_file()
    leaks = [
        path.name
        for path in api.rglob("*")
        if path.is_file() and str(project) in path.read_text(encoding="utf-8", errors="ignore")
    ]
    assert leaks == []


def test_two_runs_stand_side_by_side_in_mlflow(project: Path, browser: Browser) -> None:
    [again] = run_commands(project, [["run", "--env", "test", "--nodes", "judge_student"]])
    assert again["code"] == 0, again["err"][-2000:]
    uri = f"sqlite:///{project}/mlflow.db"
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("kd_kedro")
    assert experiment is not None
    runs = [run.info.run_id for run in client.search_runs([experiment.experiment_id])]
    assert len(runs) == 2
    port = free_port()
    words = ("mlflow", "ui", "--backend-store-uri", uri, "--port", str(port), "--workers", "1")
    with serve(project, *words, port=port) as address:
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        names = "[" + ",".join(f'"{run}"' for run in runs) + "]"
        page.goto(
            f'{address}/#/compare-runs?runs={names}&experiments=["{experiment.experiment_id}"]',
            timeout=PATIENCE,
        )
        # The table of metrics is drawn as it is scrolled: what comes first in it is there.
        page.wait_for_selector("text=baseline.cross_entropy", timeout=PATIENCE, state="attached")
        page.close()


@contextmanager
def files(folder: Path) -> Iterator[str]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_fits_the_screen(
    finished: Finished, browser: Browser, width: int, scheme: str
) -> None:
    project, _ = finished
    report = sorted(project.glob("data/test_env/**/report.html/*/report.html"))[-1]
    assert str(project) not in report.read_text(encoding="utf-8")
    with files(report.parent) as address:
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = context.new_page()
        outside: list[str] = []
        page.on("request", lambda request: outside.append(request.url))
        page.goto(f"{address}/report.html", timeout=PATIENCE)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.inner_text("h1")
        assert page.locator("svg").count() > 0
        assert [url for url in outside if not url.startswith(address)] == []
        context.close()
