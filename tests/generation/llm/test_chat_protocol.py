"""What servers of the chat protocol are known to send."""

import json
from typing import Any

import pytest

from kd_kedro.generation.llm.chat_protocol import (
    BrokenAnswerError,
    is_error,
    read_completion,
    read_error,
)
from kd_kedro.generation.llm.reply_forms import MisfitError

TEXT = "Which entry is it?"
FORM = json.dumps({"question": TEXT})


def read(
    content: Any, finish: str | None = "stop", *, structured: bool = True, **others: Any
) -> tuple[str, str]:
    usage = others.pop("usage", {"prompt_tokens": 3, "completion_tokens": 4})
    message = {"role": "assistant", "content": content, **others}
    body = {"choices": [{"index": 0, "finish_reason": finish, "message": message}], "usage": usage}
    reply = read_completion(json.dumps(body).encode(), "rephrase", structured, 256)
    return reply.text, reply.finish


@pytest.mark.parametrize(
    "content",
    [
        FORM,
        [{"type": "text", "text": FORM}],
        [{"type": "text", "text": FORM[:9]}, {"type": "text", "text": FORM[9:]}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "{}"}]}, {"text": FORM}],
        [{"type": "reasoning", "text": "Hm."}, {"type": "output_text", "text": FORM}],
        [FORM],
        {"type": "text", "text": FORM},
        f"```json\n{FORM}\n```",
        f"```\n{FORM}\n```",
        f"Sure, here it is:\n\n```json\n{FORM}\n```\nAsk me more.",
        f"Here is the question: {FORM}",
        f"<think>They want {{a question}}.</think>\n{FORM}",
        f"<thinking>{FORM}</thinking>{FORM}",
        f"[THINK]a[/THINK]{FORM}",
        f"<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>{FORM}",
    ],
)
def test_a_form_is_found_wherever_a_server_puts_it(content: Any) -> None:
    assert read(content) == (TEXT, "stop")


@pytest.mark.parametrize(
    "content",
    [
        FORM[:-4],
        f"<think>{FORM[:-2]}",
        '{"frage": "Which?"}',
        '{"question": 7}',
        '{"question": "a"} and {"question": "b"}',
        TEXT,
    ],
)
def test_half_a_form_or_another_one_is_none(content: str) -> None:
    with pytest.raises(MisfitError):
        read(content)


@pytest.mark.parametrize("finish", ["stop", "eos_token", "end_turn", "COMPLETE", "xyz", None])
def test_a_form_is_whole_whatever_the_word_for_its_end(finish: str | None) -> None:
    assert read(FORM, finish) == (TEXT, "stop")


@pytest.mark.parametrize(
    ("finish", "meant"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("FINISH_REASON_STOP", "stop"),
        ("eos_token", "stop"),
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        (None, "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("xyz", "xyz"),
    ],
)
def test_the_words_for_an_end_are_known_by_what_they_mean(finish: str | None, meant: str) -> None:
    assert read(TEXT, finish, structured=False) == (TEXT, meant)


def test_a_text_as_long_as_it_may_be_is_cut_whatever_the_server_says() -> None:
    assert read(TEXT, structured=False, usage={"completion_tokens": 256})[1] == "length"
    assert read(TEXT, structured=False, usage={"completion_tokens": None})[1] == "stop"


def test_a_refusal_is_one_and_a_call_of_a_tool_is_no_answer() -> None:
    assert read(None, refusal="No.") == ("No.", "content_filter")
    assert read(FORM, "content_filter")[1] == "content_filter"
    with pytest.raises(BrokenAnswerError, match="called a tool"):
        read(None, "tool_calls", tool_calls=[{"id": "1"}])
    with pytest.raises(BrokenAnswerError, match="empty"):
        read([{"type": "thinking", "thinking": "Hm."}])


@pytest.mark.parametrize(
    ("body", "message", "code", "status"),
    [
        ({"error": {"message": "No.", "code": "no_quota"}}, "No.", "no_quota", None),
        ([{"error": {"code": 400, "message": "No.", "status": "BAD"}}], "No.", "400 BAD", 400),
        ({"error": "No."}, "No.", "", None),
        ({"message": "No.", "type": "invalid_request"}, "No.", "invalid_request", None),
        ({"object": "error", "message": "No.", "code": 429}, "No.", "429", 429),
        ({"detail": [{"loc": ["body"], "msg": "No.", "type": "t"}]}, "No.", "t", None),
        ({"detail": "No."}, "No.", "", None),
        ({"type": "error", "error": {"type": "busy", "message": "No."}}, "No.", "busy", None),
        ({"errors": [{"message": "No,"}, {"message": "no."}]}, "No,; no.", "", None),
        ({"error": {"message": "No.", "code": 402, "metadata": {}}}, "No.", "402", 402),
        ("No.", "No.", "", None),
        (None, "", "", None),
        ({}, "", "", None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_read_from_every_form(
    body: Any, message: str, code: str, status: int | None
) -> None:
    assert read_error(json.dumps(body).encode()) == (message, code, status)


def test_a_page_or_a_plain_text_is_told_without_its_tags() -> None:
    page = b"<html><head><style>p {color: red}</style></head><body><h1>502</h1> Bad gateway</body>"
    assert read_error(page)[0] == "502 Bad gateway"
    assert read_error(b"")[0] == ""
    assert read_error(b"\xff upstream")[0].endswith("upstream")


def test_an_error_that_is_nested_too_deeply_or_no_unicode_is_still_shown() -> None:
    assert not is_error(b"[" * 200_000)
    for body in (b"[" * 200_000, b'{"error":' * 400 + b"[" * 400 + b"]" * 400 + b"}" * 400):
        assert read_error(body)[0].startswith(body[:9].decode())
    assert read_error(b'{"message": "\\ud800"}')[0] == "?"


def test_tokens_that_cannot_be_counted_are_not() -> None:
    for count in (-1, 10**400, True):
        usage = {"prompt_tokens": count, "completion_tokens": 4}
        body = {"choices": [{"message": {"content": FORM}}], "usage": usage}
        assert read_completion(json.dumps(body).encode(), "rephrase", True, 9).prompt_tokens == 0


def test_an_error_may_come_with_status_200() -> None:
    assert is_error(b'{"error": {"message": "No.", "code": 402}}')
    assert is_error(b'[{"error": {"message": "No."}}]')
    assert not is_error(b'{"choices": [{}], "error": null}')
    assert not is_error(b"no json")
