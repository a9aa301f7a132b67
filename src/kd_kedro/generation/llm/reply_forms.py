"""The JSON form of a reply, by task: how a model is asked for it, and how it is read."""

import re
from contextlib import suppress
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

_FENCED = re.compile(r"```(?:json)?\s*(\{.*?\})\s*```", re.DOTALL | re.IGNORECASE)


class Rewrite(BaseModel):
    """The form of a reply that writes a question."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str


class Verdict(BaseModel):
    """The form of a reply that says yes or no."""

    model_config = ConfigDict(extra="forbid", strict=True)

    belongs: Literal["yes", "no"]


class Answer(BaseModel):
    """The form of a reply that answers a question."""

    model_config = ConfigDict(extra="forbid", strict=True)

    answer: str


_FORMS: dict[str, type[BaseModel]] = {"relevance": Verdict, "answer": Answer}


class MisfitError(Exception):
    """A reply that is not in the form that was asked for."""


def form_name(task: str) -> str:
    """Return the name of a task's form."""
    return _form(task).__name__.lower()


def form_schema(task: str) -> dict[str, Any]:
    """Return the JSON schema of a task's form: an object with one text."""
    return _form(task).model_json_schema()


def form_instruction(task: str) -> str:
    """Return the sentence that asks for a task's form."""
    return f'Reply with one JSON object: {{"{_field(task)}": "..."}}.'


def read_form(text: str, task: str) -> str:
    """Return what a reply says in the form of its task.

    Raises:
        MisfitError: It is not of that form.
    """
    # A server that does not constrain its model may leave a fence or words around the object.
    fenced = _FENCED.search(text)
    start, end = text.find("{"), text.rfind("}")
    for candidate in (
        text,
        fenced[1] if fenced else "",
        text[start : end + 1] if start >= 0 else "",
    ):
        with suppress(ValidationError):
            return str(getattr(_form(task).model_validate_json(candidate), _field(task)))
    raise MisfitError("the answer does not fit the JSON form")


def _form(task: str) -> type[BaseModel]:
    return _FORMS.get(task, Rewrite)


def _field(task: str) -> str:
    return next(iter(_form(task).model_fields))
