"""Cache, resumption, account: what is the same whoever answers."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from kd_kedro.generation.llm.llm_generator import Price
from kd_kedro.generation.llm.response_cache import ResponseCache
from kd_kedro.generation.prompts import Prompt, read_prompts
from kd_kedro.generation.protocol import Request
from tests.conftest import ROOT
from tests.generation.llm import asking
from tests.generation.llm.asking import rephrase, server_generator
from tests.generation.llm.chat_server_double import Answer, Asked, ChatServerDouble, question


def good(asked: Asked) -> Answer:
    return question(asked.text.replace("What is", "Which is"))


def test_what_is_known_is_not_asked_again(tmp_path: Path) -> None:
    cache = tmp_path / "replies.sqlite"
    with ChatServerDouble(good) as server:
        first = server_generator(server.url, cache=cache).generate(rephrase(10))
        again = server_generator(server.url, cache=cache).generate(rephrase(12))
        assert len(server.asked) == 12
        # Another parameter, another seed are other questions.
        server_generator(server.url, cache=cache, max_tokens=5).generate(rephrase(1))
        server_generator(server.url, cache=cache).generate(
            [Request("rephrase", rephrase(1)[0].text, {}, 1)]
        )
        assert len(server.asked) == 14
    # Outcomes with all their evidence are the same, so that events are.
    assert again[:10] == first


def test_equal_requests_are_asked_once() -> None:
    with ChatServerDouble(good) as server:
        outcomes = server_generator(server.url).generate(rephrase(1) * 5)
        assert len(server.asked) == 1
    assert len({outcome.text for outcome in outcomes}) == 1
    assert len(outcomes) == 5


def test_another_prompt_asks_anew_and_is_in_the_evidence(monkeypatch, tmp_path: Path) -> None:
    cache = tmp_path / "replies.sqlite"
    other = Prompt(system="Ask it otherwise.", user="Question: {text}")
    with ChatServerDouble(good) as server:
        before = server_generator(server.url, cache=cache).generate(rephrase(1))[0]
        monkeypatch.setitem(asking.PROMPTS, "rephrase", other)
        after = server_generator(server.url, cache=cache).generate(rephrase(1))[0]
        assert len(server.asked) == 2
    assert before.evidence["prompt"] != after.evidence["prompt"] == other.version
    assert after.evidence == {"model": "double", "prompt": other.version, "tokens": 15}


def test_a_killed_run_resumes_where_it_was(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from tests.generation.llm.asking import rephrase, server_generator
        outcomes = server_generator(sys.argv[1], cache=Path(sys.argv[2]), concurrency=2).generate(
            rephrase(60)
        )
        print(sum(outcome.status == "ok" for outcome in outcomes))
    """)

    def respond(asked: Asked) -> Answer:
        answer = good(asked)
        answer.hang_s = 0.02
        return answer

    with ChatServerDouble(respond) as server:
        command = [sys.executable, "-c", script, server.url, str(tmp_path / "replies.sqlite")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
        first = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while len(server.asked) < 20 and first.poll() is None:
            time.sleep(0.005)
        first.send_signal(signal.SIGKILL)
        first.wait()
        before = len(server.asked)
        assert 20 <= before < 60
        second = subprocess.run(command, env=environment, capture_output=True, check=True)
        # What was in the air when it was killed, at most one for each worker and one reply that
        # had come and was not yet written, is asked once more.
        assert len(server.asked) <= 60 + 4
        again = {asked.text for asked in server.asked[before:]}
    assert second.stdout.strip() == b"60"
    assert len(again) <= 60 - before + 4


def test_tokens_and_cost_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with ChatServerDouble(good) as server:
        generator = server_generator(server.url, price=Price(input=100.0, output=1000.0))
        generator.generate(rephrase(4))
        generator.generate(rephrase(6))
    told = [record for record in caplog.records if record.name.startswith("kd_kedro")]
    first, second = (record.getMessage() for record in told)
    assert first == (
        "double: 4 requests, 4 asked, 0 known (4 ok); 40 tokens read, 20 written, cost 0.0240"
    )
    assert second == (
        "double: 6 requests, 2 asked, 4 known (6 ok); 20 tokens read, 10 written, cost 0.0120"
    )


def test_a_key_is_neither_in_the_cache_nor_in_what_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cache = tmp_path / "replies.sqlite"
    with ChatServerDouble(good) as server:
        generator = server_generator(server.url, ("sk-secret",), cache=cache)
        outcomes = generator.generate(rephrase(2))
        assert server.asked[0].key == "sk-secret"
    assert "sk-secret" not in caplog.text
    assert "sk-secret" not in repr(outcomes)
    for file in tmp_path.iterdir():
        assert b"sk-secret" not in file.read_bytes()


def test_a_task_without_a_prompt_is_named() -> None:
    with pytest.raises(ValueError, match="double has no prompt for the task formal"):
        server_generator("http://127.0.0.1:9/v1").generate([Request("formal", "What is rent?")])


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    path.write_text("not a database, and long enough to be read as one" * 9)
    with pytest.raises(ValueError, match="cannot hold the cache of replies"):
        ResponseCache(path)


def test_a_prompt_leaves_out_what_is_not_known_and_reads_no_braces_of_the_text() -> None:
    prompt = Prompt(user="Question: {text}\nAnswer: {answer}\nBe brief.")
    request = Request("rephrase", "What is {answer} in {text}?")
    assert prompt.messages(request) == [
        {"role": "user", "content": "Question: What is {answer} in {text}?\nBe brief."}
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"fitb": {"user": "Say something"}}, "fitb.user .*has no {text}"),
        ({"fitb": {"user": "{text} {reply}"}}, "fitb.user .*has {reply}"),
        ({"fitb": {"user": "{text}", "sytem": "x"}}, "fitb.sytem Extra"),
        ({"fitb": "{text}"}, "fitb "),
    ],
)
def test_prompts_that_cannot_be_used_are_named(content, message: str) -> None:
    with pytest.raises(ValueError, match=f"^prompts.yml: {message}"):
        read_prompts(content, "prompts.yml")
