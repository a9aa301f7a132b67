"""A conversation as one text, in which it goes through the tables as any question does.

Each message begins a line with who speaks: `⟦system⟧ …`, `⟦user⟧ …`, `⟦assistant⟧ …`. This file
lies beside registered models and imports nothing of this project.
"""

import re
from collections.abc import Iterable

ROLES = ("system", "user", "assistant")
_MARK = re.compile(rf"(?:\A|\n)[ \t]*⟦({'|'.join(ROLES)})⟧[ \t]*")


def has_mark(text: str) -> bool:
    """Return whether a text has a line that begins as a message of a transcript does."""
    return _MARK.search(text) is not None


def write_transcript(messages: Iterable[tuple[str, str]]) -> str:
    """Return messages, each a role and a text, as one text."""
    return "\n".join(f"⟦{role}⟧ {text.strip()}" for role, text in messages)


def read_transcript(text: str) -> list[tuple[str, str]]:
    """Return the messages of a transcript that asks for an answer; none of any other text.

    It begins with a message and ends with one of the user.
    """
    before, *parts = _MARK.split(text)
    messages = [(role, said.strip()) for role, said in zip(parts[::2], parts[1::2], strict=True)]
    asks = not before.strip() and bool(messages) and messages[-1][0] == "user"
    return messages if asks else []
