"""The chat backend against `transformers serve`, a real model server, from a local folder."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kd_kedro.generation.prompts import Prompt
from kd_kedro.generation.protocol import Request
from tests.generation.llm import asking
from tests.generation.llm.asking import rephrase, server_generator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(model_folder: Callable[[str], Path], tmp_path_factory) -> Iterator[tuple[str, str]]:
    """Return URL and model of a running server."""
    folder = model_folder("llama")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = shutil.which("transformers", path=str(Path(sys.executable).parent))
    assert program, "transformers has no command line here: pip install -e .[dev]"
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                program,
                "serve",
                str(folder),
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--device",
                "cpu",
            ],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            stdout=out,
            stderr=out,
        )
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
                    break
                except (urllib.error.URLError, OSError):
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1", str(folder)
        finally:
            process.terminate()
            process.wait(20)


def test_a_real_server_answers_and_nothing_it_babbles_enters(server, tmp_path: Path) -> None:
    url, model = server
    options = {
        "model": model,
        "max_tokens": 24,
        "structured": False,
        "timeout_s": 60,
        "system_role": False,
    }
    requests = rephrase(6)
    cache = tmp_path / "replies.sqlite"
    first = server_generator(url, cache=cache, concurrency=2, **options).generate(requests)
    # Random weights babble: hardly a reply is a text, and what is none is as it was.
    assert {outcome.status for outcome in first} <= {"ok", "rejected"}
    assert [outcome.status for outcome in first].count("rejected") >= 5
    assert all(outcome.evidence["tokens"] > 5 for outcome in first)
    assert (
        server_generator("http://127.0.0.1:9/v1", cache=cache, **options).generate(requests)
        == first
    )


def test_a_prompt_longer_than_the_context_is_failed(server, monkeypatch) -> None:
    url, model = server
    monkeypatch.setitem(asking.PROMPTS, "rephrase", Prompt(user="{text}"))
    generator = server_generator(
        url, model=model, max_tokens=24, structured=False, retries=1, timeout_s=60
    )
    long = Request("rephrase", "What is rent? " * 400)
    outcomes = generator.generate([long, *rephrase(2)])
    # This server answers 500 to what is too long, or writes on from the middle of nowhere.
    assert outcomes[0].status in ("failed", "rejected")
    assert [outcome.text for outcome in outcomes[1:]] == [request.text for request in rephrase(2)]
