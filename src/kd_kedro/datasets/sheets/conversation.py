"""Conversations of one turn as a question and its answer, in the forms of public data sets.

`messages` with role and content (OpenAI, Hugging Face TRL), `conversations` with from and value
(ShareGPT), and a `prompt` and a `completion` that are lists of messages each.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_KEYS = ("messages", "conversations", "conversation")
_SIDES = ("prompt", "completion")
_ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model", "ai"), "assistant"),
}
_THOUGHTS = ("thinking", "reasoning", "redacted_thinking")


class Turn(NamedTuple):
    """A question with its answer, and what the model was told before; or why there is none."""

    question: str = ""
    answer: str = ""
    system: str = ""
    defect: str = ""


def find_conversation(values: Mapping[str, Any]) -> Sequence[Any] | None:
    """Return the messages of a record; None where it holds no conversation."""
    for key in _KEYS:
        if isinstance(values.get(key), list):
            return values[key]  # type: ignore[no-any-return]
    sides = [values.get(key) for key in _SIDES]
    if all(isinstance(side, list) for side in sides):
        return [message for side in sides for message in side or ()]
    return None


def without_conversation(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without its messages, and without keys of messages that are null."""
    opened = find_conversation(values) is not None
    return {
        key: value
        for key, value in values.items()
        if key not in (*_KEYS, *_SIDES)
        or not (value is None or (opened and isinstance(value, list)))
    }


def read_turn(messages: Sequence[Any]) -> Turn:
    """Return the one turn of a conversation; more turns, or another order, are a defect."""
    said: list[tuple[str, str]] = []
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, Mapping):
            return Turn(defect=f"message {number} of the conversation has no role")
        spoken = str(message.get("role") or message.get("from") or "")
        role = _ROLES.get(spoken.casefold())
        if role is None:
            return Turn(
                defect=f"message {number} of the conversation has the role {spoken!r}, not "
                "system, user or assistant"
            )
        text, other = read_content(message.get("content", message.get("value")))
        if other:
            return Turn(defect=f"message {number} of the conversation holds {other}, not text")
        said.append((role, text))
    system = [text for role, text in said if role == "system"]
    roles = [role for role, _ in said]
    if roles != [*["system"] * len(system), "user", "assistant"]:
        return Turn(defect=_other_form(roles))
    return Turn(said[-2][1], said[-1][1], "\n\n".join(system))


def read_content(content: Any) -> tuple[str, str]:
    """Return the text of a content, whole or in parts, and what it holds besides text.

    Thoughts are left out.
    """
    if content is None or isinstance(content, str):
        return content or "", ""
    parts = content if isinstance(content, list) else [content]
    texts = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = str(part.get("type") or "text") if isinstance(part, Mapping) else ""
        if kind in _THOUGHTS:
            continue
        text = part.get("text") if isinstance(part, Mapping) else None
        if not isinstance(text, str):
            return "", f"a part of the type {kind!r}" if kind else f"a {type(content).__name__}"
        texts.append(text)
    return "".join(texts), ""


def _other_form(roles: Sequence[str]) -> str:
    turns = roles.count("user")
    if turns > 1:
        return (
            f"a conversation of {turns} turns, and only those of one turn are read: give each "
            "question with its answer a row of its own"
        )
    if "assistant" not in roles:
        return "the conversation has no answer: it ends without a message of the assistant"
    if not turns:
        return "the conversation has no question: it has no message of the user"
    return f"a conversation of {', '.join(roles)}: one question and then one answer are read"
