"""What goes to and comes from a server that speaks the OpenAI chat protocol.

Servers of this protocol differ in what they send. What is read here, and from whom it is known:
content in parts (Mistral, Azure), thoughts before the answer (DeepSeek, Qwen, Magistral, gpt-oss),
other words for the end of a reply (Hugging Face TGI, Anthropic, Cohere, Gemini, Mistral), errors as
lists, as plain text or with status 200 (Gemini, proxies, OpenRouter).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError, field_validator

from kd_kedro.generation.llm.llm_generator import Question
from kd_kedro.generation.llm.replies import Reply
from kd_kedro.generation.llm.reply_forms import (
    form_instruction,
    form_name,
    form_schema,
    read_form,
)
from kd_kedro.text.words import word_set

_PREFIX = re.compile(r"\Afinish_?reason_?", re.IGNORECASE)
_LENGTH = word_set(
    "length max_tokens max_output_tokens max_length model_length token_limit "
    "model_context_window_exceeded"
)
_FILTER = word_set(
    "content_filter content_filtered filtered safety image_safety recitation prohibited_content "
    "blocklist spii language refusal guardrail_intervened sensitive error_toxic"
)
_END = word_set(
    "stop eos eos_token end end_turn end_of_turn stop_sequence stop_token complete completed "
    "finish finished done"
)
# Reasoning that a server leaves in the text, before the answer.
_THOUGHT = re.compile(
    r"\A\s*(?:<(think|thinking|thought|reasoning)>.*?</\1>|\[THINK\].*?\[/THINK\]|◁think▷.*?◁/think▷|"
    r"<\|channel\|>analysis<\|message\|>.*?<\|channel\|>final<\|message\|>)",
    re.DOTALL | re.IGNORECASE,
)
_MOST_TOKENS = 1_000_000_000  # that a server may count
_TAG = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[Any] | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _join_parts(cls, content: Any) -> Any:
        """Join the texts of a content in parts; thoughts and calls of tools are left out."""
        if not isinstance(content, list | dict):
            return content
        parts = content if isinstance(content, list) else [content]
        texts = [each if isinstance(each, str) else _text_of_part(each) for each in parts]
        return "".join(texts)


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _counts(cls, value: Any) -> int | None:
        return token_count(value)


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


def token_count(value: Any) -> int | None:
    """Return how many tokens a server says there were; None where that is no such number."""
    number = isinstance(value, int) and not isinstance(value, bool)
    return value if number and 0 <= value <= _MOST_TOKENS else None


class BrokenAnswerError(Exception):
    """A server's answer that is no chat completion: cut off, empty, or of another kind."""


def request_body(
    question: Question,
    model: str,
    parameters: Mapping[str, Any],
    *,
    structured: bool,
    system_role: bool = True,
) -> dict[str, Any]:
    """Return the body of a request.

    Args:
        question: What is asked.
        model: The model's name at the server.
        parameters: Further fields: temperature, max_tokens and the like.
        structured: Ask for JSON in the form of the task.
        system_role: Send instructions as the system's, not as part of the user's message.
    """
    system = "".join(m["content"] for m in question.messages if m["role"] == "system")
    user = "\n".join(m["content"] for m in question.messages if m["role"] != "system")
    body: dict[str, Any] = {"model": model, **parameters}
    if parameters.get("temperature", 0) > 0:
        body["seed"] = question.seed
    if structured:
        system = f"{system}\n{form_instruction(question.task)}".strip()
        schema = {
            "name": form_name(question.task),
            "strict": True,
            "schema": form_schema(question.task),
        }
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if system and system_role:
        body["messages"] = [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ]
    else:
        body["messages"] = [{"role": "user", "content": f"{system}\n{user}".strip()}]
    return body


def read_completion(body: bytes, task: str, structured: bool, max_tokens: int) -> Reply:
    """Return the reply in a server's answer.

    A reply in the form that was asked for is whole, whatever word the server has for its end;
    another one is whole where the word says so and it is shorter than `max_tokens`.

    Raises:
        BrokenAnswerError: The answer is no chat completion, or has no text.
        MisfitError: Its text is not of the form.
    """
    try:
        completion = _Completion.model_validate_json(body)
        choice = completion.choices[0]
    except (ValidationError, IndexError) as error:
        raise BrokenAnswerError("the answer is no chat completion") from error
    usage = completion.usage or _Usage()
    tokens = (usage.prompt_tokens or 0, usage.completion_tokens or 0)
    message, finish = choice.message, _finish(choice.finish_reason)
    text = _THOUGHT.sub("", message.content or "")
    if message.refusal:
        return Reply(message.refusal, "content_filter", *tokens)
    if finish not in ("length", "content_filter"):
        if not text.strip():
            called = " (the model called a tool)" if message.tool_calls else ""
            raise BrokenAnswerError(f"the answer is empty{called}")
        if structured:
            return Reply(read_form(text, task), "stop", *tokens)
        if tokens[1] >= max_tokens:
            finish = "length"  # some servers say stop all the same
    return Reply(text, finish, *tokens)


def _finish(word: str | None) -> str:
    """Return stop, length or content_filter for what a server says, else its own word."""
    plain = _PREFIX.sub("", word or "stop").lower().replace("-", "_").replace(" ", "_")
    known = {"stop": _END, "length": _LENGTH, "content_filter": _FILTER}
    return next((meant for meant, words in known.items() if plain in words), word or "stop")


def read_json(body: bytes) -> Any:
    """Return what a JSON text says.

    Raises:
        ValueError: It is none, or it is nested too deeply to be read.
    """
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def is_unicode(text: str) -> bool:
    """Return whether a text can be written: JSON may hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_error(body: bytes) -> tuple[str, str, int | None]:
    """Return what a server says is wrong, its code or type, and its HTTP status where it has one.

    Args:
        body: The answer: JSON of any of the known forms, HTML or plain text; it may be empty.
    """
    try:
        message, code, status = _error_in(read_json(body))
    except (ValueError, RecursionError):
        text = _TAG.sub(" ", body.decode("utf-8", errors="replace"))
        return " ".join(text.split()), "", None
    shown = message.encode("utf-8", errors="replace").decode()
    return " ".join(shown.split()), code, status


def is_error(body: bytes) -> bool:
    """Return whether an answer with status 200 tells of an error and holds no completion."""
    try:
        said = read_json(body)
    except ValueError:
        return False
    said = said[0] if isinstance(said, list) and said else said
    return isinstance(said, dict) and bool(said.get("error")) and not said.get("choices")


def _error_in(said: Any) -> tuple[str, str, int | None]:
    if isinstance(said, list):  # Gemini's list of one, FastAPI's list of complaints
        found = [_error_in(each) for each in said]
        return (
            "; ".join(message for message, _, _ in found if message),
            next((code for _, code, _ in found if code), ""),
            next((status for _, _, status in found if status), None),
        )
    if not isinstance(said, dict):
        return ("" if said is None else str(said)), "", None
    inner = next(
        (said[key] for key in ("error", "errors", "detail", "fault") if said.get(key)), None
    )
    own = said.get("message") or said.get("msg") or ""
    words = [str(said.get(key) or "") for key in ("code", "type", "status")]
    code = " ".join(word for word in words if word and word != "error")
    number = said.get("code") if isinstance(said.get("code"), int) else said.get("status")
    status = number if isinstance(number, int) and 400 <= number < 600 else None
    if inner is None:
        details = json.dumps(said["details"]) if said.get("details") else ""
        return str(own), f"{code} {details}".strip(), status
    message, inner_code, inner_status = _error_in(inner)
    return message or str(own), inner_code or code, inner_status or status


def _text_of_part(part: Any) -> str:
    if not isinstance(part, dict) or part.get("type", "text") not in ("text", "output_text"):
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else ""
