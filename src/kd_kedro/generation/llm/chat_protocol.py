"""What goes to and comes from a server that speaks the OpenAI chat protocol."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from kd_kedro.generation.llm.llm_generator import Question
from kd_kedro.generation.llm.replies import Reply


class Rewrite(BaseModel):
    """The form of a reply that writes a question."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str


class Verdict(BaseModel):
    """The form of a reply that says yes or no."""

    model_config = ConfigDict(extra="forbid", strict=True)

    belongs: Literal["yes", "no"]


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


class BrokenAnswerError(Exception):
    """A server's answer that is no chat completion: cut off, empty, or of another kind."""


class MisfitError(Exception):
    """A reply that is not in the form that was asked for."""


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
        form = _form(question.task)
        field = next(iter(form.model_fields))
        system = f'{system}\nReply with one JSON object: {{"{field}": "..."}}.'.strip()
        schema = {"name": form.__name__.lower(), "strict": True, "schema": form.model_json_schema()}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if system and system_role:
        body["messages"] = [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ]
    else:
        body["messages"] = [{"role": "user", "content": f"{system}\n{user}".strip()}]
    return body


def read_completion(body: bytes, task: str, structured: bool) -> Reply:
    """Return the reply in a server's answer.

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
    finish = choice.finish_reason or "stop"
    text = choice.message.content or ""
    if choice.message.refusal:
        finish, text = "content_filter", choice.message.refusal
    elif not text.strip() and finish == "stop":
        raise BrokenAnswerError("the answer is empty")
    elif structured and finish == "stop":
        text = _read_form(text, task)
    return Reply(text, finish, usage.prompt_tokens, usage.completion_tokens)


def _form(task: str) -> type[BaseModel]:
    return Verdict if task == "relevance" else Rewrite


def _read_form(text: str, task: str) -> str:
    # A server that does not constrain its model may leave a fence around the object.
    bare = re.sub(r"\A\s*```(?:json)?\s*|\s*```\s*\Z", "", text)
    form = _form(task)
    try:
        return str(getattr(form.model_validate_json(bare), next(iter(form.model_fields))))
    except ValidationError as error:
        raise MisfitError("the answer does not fit the JSON form") from error
