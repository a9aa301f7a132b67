"""The chat backend against a real HTTP server that misbehaves."""

import json
import socket
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from kd_kedro.generation.llm import chat_server
from kd_kedro.generation.protocol import Request
from kd_kedro.text.boilerplate import contamination
from tests.generation.llm.asking import rephrase, server_generator
from tests.generation.llm.chat_server_double import (
    Answer,
    Asked,
    ChatServerDouble,
    completion,
    question,
)


def good(asked: Asked) -> Answer:
    return question(asked.text.replace("What is", "Which is"))


@pytest.mark.slow
def test_every_misbehaviour_loses_no_row_and_lets_nothing_dirty_in() -> None:
    dirty = [
        "...",
        "Lorem ipsum dolor sit amet",
        "[Your rephrased question here]",
        "Kindly rephrase my previous response.",
        "I'm sorry, but I cannot assist with that.",
        "As an AI language model, I have no journal.",
        "1. Which is it?\n2. What is it?",
        "",
    ]
    tries: Counter[str] = Counter()

    def respond(asked: Asked) -> Answer:
        tries[asked.text] += 1
        number = int(asked.text.split("number ")[1].split()[0])
        first = tries[asked.text] == 1
        kind = number % 12
        if first and kind < 6:
            return [
                Answer(429, headers={"Retry-After": "0"}),
                Answer(500, b"oops"),
                Answer(200, good(asked).body[:40]),  # JSON that breaks off
                Answer(200, good(asked).body[:40], {"Content-Length": "400"}),  # a broken transfer
                Answer(503, headers={"Retry-After": "0"}),
                Answer(hang_s=30),
            ][kind]
        if kind == 6:
            return question(dirty[number // 12 % len(dirty)])
        if kind == 7:
            return completion(None, refusal="I can't do that.")
        if kind == 8:
            return completion('{"question": "Which is ent', finish="length")
        if kind == 9:
            return completion('{"frage": "Which is entry"}')
        return good(asked)

    requests = rephrase(96)
    with ChatServerDouble(respond) as server:
        generator = server_generator(server.url, timeout_s=0.5, concurrency=32)
        outcomes = generator.generate(requests)
    assert len(outcomes) == len(requests)
    counts = Counter(outcome.status for outcome in outcomes)
    assert counts == {"ok": 64, "rejected": 24, "failed": 8}
    for request, outcome in zip(requests, outcomes, strict=True):
        if outcome.status == "ok":
            # Unordered replies stand at their own requests.
            assert outcome.text == request.text.replace("What is", "Which is")
            assert not contamination(outcome.text, request.text)
        else:
            assert outcome.text == request.text
            assert outcome.reason


def test_a_key_rests_as_long_as_the_server_says() -> None:
    since: dict[str, float] = {}
    early: list[str] = []

    def respond(asked: Asked) -> Answer:
        now = time.monotonic()
        if asked.key in since and now < since[asked.key] + 0.99:
            early.append(asked.key)
        if asked.key != "good" and asked.key not in since:
            since[asked.key] = now
            return Answer(429, headers={"Retry-After": "1"})
        return good(asked)

    with ChatServerDouble(respond) as server:
        generator = server_generator(server.url, ("bad", "good", "ugly"), concurrency=1)
        outcomes = generator.generate(rephrase(12))
    assert {outcome.status for outcome in outcomes} == {"ok"}
    assert set(since) == {"bad", "ugly"}
    assert early == []


@pytest.mark.slow
def test_a_crowd_that_is_refused_comes_back_at_a_pace_that_is_borne() -> None:
    came: list[float] = []

    def respond(asked: Asked) -> Answer:
        now = time.monotonic()
        came.append(now)
        # Three requests in any fifth of a second, and no word of when to come again.
        allowed = sum(now - other < 0.2 for other in came) <= 3
        return good(asked) if allowed else Answer(429)

    with ChatServerDouble(respond) as server:
        options = {"concurrency": 16, "backoff_s": 0.1, "retries": 8}
        outcomes = server_generator(server.url, **options).generate(rephrase(24))
    assert {outcome.status for outcome in outcomes} == {"ok"}


def test_every_key_of_the_pool_has_its_chance() -> None:
    def respond(asked: Asked) -> Answer:
        return good(asked) if asked.key == "key 9" else Answer(429, headers={"Retry-After": "600"})

    keys = tuple(f"key {number}" for number in range(10))
    with ChatServerDouble(respond) as server:
        generator = server_generator(server.url, keys, retries=0, concurrency=1)
        outcomes = generator.generate(rephrase(3))
        assert [asked.key for asked in server.asked[:10]] == list(keys)
    assert [outcome.status for outcome in outcomes] == ["ok"] * 3


def test_a_date_in_retry_after_is_read_and_a_long_rest_is_not_waited_for() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    with ChatServerDouble(lambda asked: Answer(429, headers={"Retry-After": later})) as server:
        outcome = server_generator(server.url).generate(rephrase(1))[0]
        assert len(server.asked) == 1
    assert outcome.status == "failed"
    assert "no key is free for 3" in outcome.reason


def test_a_slow_drip_is_no_answer() -> None:
    def respond(asked: Asked) -> Answer:
        return Answer(body=good(asked).body, drip=True)

    with ChatServerDouble(respond) as server:
        outcome = server_generator(server.url, timeout_s=0.5, retries=1).generate(rephrase(1))[0]
    assert outcome.reason == "no answer in time; 2 attempts used"


def test_a_refused_key_stops_at_once_and_is_named_but_not_shown() -> None:
    with (
        ChatServerDouble(lambda asked: Answer(401, b'{"error": "no sk-secret"}')) as server,
        pytest.raises(ValueError, match="refuses key 1 of 1") as caught,
    ):
        server_generator(server.url, ("sk-secret",), concurrency=1).generate(rephrase(50))
    assert "correct the credentials of text generator double" in str(caught.value)
    assert "sk-secret" not in str(caught.value)
    assert len(server.asked) == 1


def test_a_key_that_is_refused_with_400_stops_too() -> None:
    said = json.dumps({"error": {"message": "API key not valid. Pass a valid API key."}})
    with (
        ChatServerDouble(lambda asked: Answer(400, said.encode())) as server,
        pytest.raises(ValueError, match="refuses key 1 of 2"),
    ):
        server_generator(server.url, ("one", "two"), concurrency=1).generate(rephrase(50))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, {"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}),
        (402, {"error": {"message": "Insufficient balance"}}),
        (400, {"error": {"message": "Your credit balance is too low to access the API."}}),
        (200, {"error": {"message": "Insufficient credits", "code": 402}}),
    ],
)
def test_a_key_that_has_nothing_left_is_asked_no_more(status: int, said: dict[str, object]) -> None:
    body = json.dumps(said).encode()

    def respond(asked: Asked) -> Answer:
        return good(asked) if asked.key == "rich" else Answer(status, body)

    with ChatServerDouble(respond) as server:
        generator = server_generator(server.url, ("poor", "rich"), concurrency=1)
        assert {each.status for each in generator.generate(rephrase(5))} == {"ok"}
        assert [asked.key for asked in server.asked].count("poor") == 1
        with pytest.raises(ValueError, match=r"nothing more \(HTTP 4.*pay for more"):
            server_generator(server.url, ("poor",)).generate(rephrase(60))


def test_a_limit_by_the_minute_is_waited_for() -> None:
    said = {"error": {"code": 429, "message": "You exceeded your current quota, check billing."}}
    said["error"]["details"] = [{"quotaId": "RequestsPerMinute"}, {"retryDelay": "1s"}]
    tries: Counter[str] = Counter()

    def respond(asked: Asked) -> Answer:
        tries[asked.text] += 1
        return good(asked) if tries[asked.text] > 1 else Answer(429, json.dumps([said]).encode())

    with ChatServerDouble(respond) as server:
        outcomes = server_generator(server.url, backoff_s=0.01).generate(rephrase(3))
    assert {each.status for each in outcomes} == {"ok"}


def test_refusals_alone_are_not_waited_for_all_night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_server, "_MAX_REFUSED_S", 0.5)
    with (
        ChatServerDouble(lambda asked: Answer(429, b"Too many requests")) as server,
        pytest.raises(ValueError, match=r"refused every request of .*: Too many requests"),
    ):
        server_generator(server.url, backoff_s=0.05, max_wait_s=5).generate(rephrase(60))


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/?api-version=2024-10-21"])
def test_an_address_may_have_a_query_or_name_the_path(end: str) -> None:
    with ChatServerDouble(good) as server:
        [outcome] = server_generator(f"{server.url}{end}").generate(rephrase(1))
        assert outcome.status == "ok"
        query = end.partition("?")[2]
        assert server.asked[0].path == "/v1/chat/completions" + (f"?{query}" if query else "")


def test_what_no_question_of_this_form_can_pass_stops_early() -> None:
    said = json.dumps({"detail": "response_format is not supported"})
    with (
        ChatServerDouble(lambda asked: Answer(422, said.encode())) as server,
        pytest.raises(ValueError, match="20 times in a row, last: HTTP 422: response_format is"),
    ):
        server_generator(server.url).generate(rephrase(500))
    assert len(server.asked) < 100


def test_an_unknown_model_is_named_with_its_url() -> None:
    with (
        ChatServerDouble(lambda asked: Answer(404)) as server,
        pytest.raises(ValueError, match=r"127\.0\.0\.1:\d+/v1 knows no model double"),
    ):
        server_generator(server.url).generate(rephrase(1))


def test_an_absent_server_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(
        ValueError, match=rf"no server at http://127.0.0.1:{port}/v1 .*refused.*: start"
    ):
        server_generator(f"http://127.0.0.1:{port}/v1").generate(rephrase(3))


def test_a_request_the_server_cannot_do_is_failed_without_the_key_it_repeats() -> None:
    said = json.dumps({"error": {"message": "context of 10 tokens, your key is sk-secret"}})
    with ChatServerDouble(lambda asked: Answer(400, said.encode())) as server:
        outcome = server_generator(server.url, ("sk-secret",)).generate(rephrase(1))[0]
        assert len(server.asked) == 1
    assert outcome.status == "failed"
    assert outcome.reason == "HTTP 400: context of 10 tokens, your key is ***"


def test_too_many_failures_stop_the_run_in_one_sentence_and_keep_the_answers(tmp_path) -> None:
    def respond(asked: Asked) -> Answer:
        number = int(asked.text.split("number ")[1].split()[0])
        return good(asked) if number % 2 else Answer(400)

    cache = tmp_path / "replies.sqlite"
    with ChatServerDouble(respond) as server:
        with pytest.raises(ValueError, match=r"failed at 20 of 40 requests .*is kept"):
            server_generator(server.url, cache=cache).generate(rephrase(40))
        outcomes = server_generator(server.url, cache=cache, max_failed_share=1).generate(
            rephrase(40)
        )
        # Failures are asked again, replies are not.
        assert len(server.asked) == 60
    assert Counter(outcome.status for outcome in outcomes) == {"ok": 20, "failed": 20}


def test_a_server_that_always_fails_does_not_take_all_night() -> None:
    with (
        ChatServerDouble(lambda asked: Answer(500)) as server,
        pytest.raises(ValueError, match="failed 20 times in a row, last: HTTP 500; 2 attempts"),
    ):
        server_generator(server.url, retries=1).generate(rephrase(400))
    assert len(server.asked) < 100


def test_what_is_asked() -> None:
    with ChatServerDouble(good) as server:
        generator = server_generator(
            server.url, max_tokens=77, temperature=0.5, extra_body={"top_k": 3}
        )
        requests = [Request("rephrase", "What is rent?", {}, 5), Request("relevance", "What?")]
        generator.generate(requests)
        bodies = {
            asked.body["response_format"]["json_schema"]["name"]: asked.body
            for asked in server.asked
            if asked.key == ""
        }
    body = bodies["rewrite"]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("double", 77, 0.5)
    assert (body["seed"], body["top_k"]) == (5, 3)
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["question"]
    assert '{"question": "..."}' in body["messages"][0]["content"]
    verdict = bodies["verdict"]["response_format"]["json_schema"]["schema"]
    assert verdict["properties"]["belongs"]["enum"] == ["yes", "no"]


def test_a_verdict_is_read_from_its_form() -> None:
    with ChatServerDouble(lambda asked: completion('{"belongs": "no"}')) as server:
        outcome = server_generator(server.url).generate([Request("relevance", "What is love?")])[0]
    assert (outcome.status, outcome.text) == ("ok", "no")
