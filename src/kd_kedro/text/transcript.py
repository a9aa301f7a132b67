"""A conversation as one text, in which it goes through the tables as any question does.

Each message begins a line with who speaks: `⟦system⟧ …`, `⟦user⟧ …`, `⟦assistant⟧ …`. This file
lies beside registered models and imports nothing of this project.
"""

import re
from collections.abc import Iterable, Sequence

Message = tuple[str, str]  # role and text
ROLES = ("system", "user", "assistant")
_MARK = re.compile(rf"(?:\A|\n)[ \t]*⟦({'|'.join(ROLES)})⟧[ \t]*")


def has_mark(text: str) -> bool:
    """Return whether a text has a line that begins as a message of a transcript does."""
    return _MARK.search(text) is not None


def write_transcript(messages: Iterable[Message]) -> str:
    """Return messages, each a role and a text, as one text."""
    return "\n".join(f"⟦{role}⟧ {text.strip()}" for role, text in messages)


def read_transcript(text: str) -> list[Message]:
    """Return the messages of a transcript that asks for an answer; none of any other text.

    It begins with a message and ends with one of the user.
    """
    before, *parts = _MARK.split(text)
    messages = [(role, said.strip()) for role, said in zip(parts[::2], parts[1::2], strict=True)]
    asks = not before.strip() and bool(messages) and messages[-1][0] == "user"
    return messages if asks else []


def is_transcript(text: str) -> bool:
    """Return whether a text is a conversation that asks for an answer."""
    return bool(read_transcript(text))


def last_message(text: str) -> str:
    """Return what the user says last in a transcript; any other text as it is."""
    messages = read_transcript(text)
    return messages[-1][1] if messages else text


def with_last_message(text: str, said: str) -> str:
    """Return a transcript in which the user says something else last.

    A text that is no transcript is replaced as a whole, and so is one by a transcript.
    """
    messages = read_transcript(text)
    if not messages or is_transcript(said):
        return said
    return write_transcript([*messages[:-1], ("user", said)])


def as_question(messages: Sequence[Message]) -> str:
    """Return messages as the question of a row: what a user says alone, or else a transcript."""
    spoken = [text for role, text in messages if role != "system"]
    return spoken[0] if len(spoken) == 1 else write_transcript(messages)


def reply_places(messages: Sequence[Message]) -> list[int]:
    """Return the places of the messages in which an assistant answers what a user says."""
    roles = [role for role, _ in messages]
    return [n for n in range(1, len(roles)) if roles[n - 1 : n + 1] == ["user", "assistant"]]


def earlier_questions(text: str) -> list[str]:
    """Return what a transcript asks before its last message, each as a row of its own has it."""
    messages = read_transcript(text)
    return [as_question(messages[:place]) for place in reply_places(messages)]
