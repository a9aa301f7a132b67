"""Conversations as a question and its answer, in the forms of public data sets.

`messages` with role and content (OpenAI, Hugging Face TRL), `conversations` with from and value
(ShareGPT), and a `prompt` and a `completion` that are lists of messages each. The answer is what
the assistant says last; of several turns all that was said before is the question, a transcript.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kd_kedro.text.transcript import has_mark, write_transcript

# The column of what a model was told before a question, where the user named none; no key has its
# name.
TOLD = "⟦system⟧"
_KEYS = ("messages", "conversations", "conversation")
_SIDES = ("prompt", "completion")
_ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model", "ai"), "assistant"),
}
_THOUGHTS = ("thinking", "reasoning", "redacted_thinking")


class Turn(NamedTuple):
    """A question with its answer, and what the model was told before; or why there is none.

    Attributes:
        question: What the user asks, of several turns a transcript.
        answer: What the assistant says last.
        system: What the model was told before; of several turns it stands in the question too.
        turns: How often the user asks.
        defect: Why there is no question with its answer; '' where there is.
    """

    question: str = ""
    answer: str = ""
    system: str = ""
    turns: int = 0
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
    """Return question and answer of a conversation; another order of speakers is a defect.

    Args:
        messages: The messages, with role and content or from and value.
    """
    said, defect = _said(messages)
    roles = [role for role, _ in said]
    system, turns = roles.count("system"), roles.count("user")
    if not defect and (
        not turns or roles != [*["system"] * system, *["user", "assistant"] * turns]
    ):
        defect = _other_form(roles)
    if defect:
        return Turn(defect=defect)
    told = "\n\n".join(text for _, text in said[:system])
    if turns == 1:
        return Turn(said[-2][1], said[-1][1], told, 1)
    before = [*([("system", told)] if told else []), *said[system:-1]]
    return Turn(write_transcript(before), said[-1][1], told, turns, _untold(said))


def _said(messages: Sequence[Any]) -> tuple[list[tuple[str, str]], str]:
    """Return who says what, or why nobody can tell."""
    said: list[tuple[str, str]] = []
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, Mapping):
            return [], f"message {number} of the conversation has no role"
        spoken = str(message.get("role") or message.get("from") or "")
        role = _ROLES.get(spoken.casefold())
        if role is None:
            return [], (
                f"message {number} of the conversation has the role {spoken!r}, not "
                "system, user or assistant"
            )
        text, other = read_content(message.get("content", message.get("value")))
        if other:
            return [], f"message {number} of the conversation holds {other}, not text"
        said.append((role, text))
    return said, ""


def _untold(said: Sequence[tuple[str, str]]) -> str:
    """Return why messages cannot stand in a transcript, '' where they can."""
    for number, (_, text) in enumerate(said, start=1):
        if not text.strip():
            return f"message {number} of the conversation is empty"
        if has_mark(text):
            return (
                f"message {number} of the conversation has a line that begins with a mark of "
                "transcripts, such as ⟦user⟧"
            )
    return ""


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
    if "assistant" not in roles:
        return "the conversation has no answer: it ends without a message of the assistant"
    if "user" not in roles:
        return "the conversation has no question: it has no message of the user"
    return (
        f"a conversation of {', '.join(roles)}: behind system messages, user and assistant must "
        "take turns, and the assistant have the last"
    )
