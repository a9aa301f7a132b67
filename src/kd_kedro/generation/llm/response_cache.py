"""Replies of language models kept on disk by what was asked, so that nothing is asked twice."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kd_kedro.generation.llm.replies import Reply
from kd_kedro.storage.keyed_cache import open_cache, text_hash


class ResponseCache:
    """Replies by key in one SQLite file; several processes may share it.

    A reply is written as it comes and survives a kill. Failures are never written; a reply that
    was rejected is kept as it came and judged again when it is read.

    Args:
        path: The file, made where it is absent; None keeps replies in memory only.

    Raises:
        ValueError: The file is no SQLite database.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._connection = open_cache(
            path,
            "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, text TEXT, finish TEXT, "
            "prompt_tokens INTEGER, completion_tokens INTEGER) WITHOUT ROWID",
            holds="replies",
            parameter="text_generator.cache",
        )

    def find(self, key: str) -> Reply | None:
        """Return the reply that was kept under a key."""
        found = self._connection.execute(
            "SELECT text, finish, prompt_tokens, completion_tokens FROM replies WHERE key = ?",
            [key],
        ).fetchone()
        return Reply(*found) if found else None

    def add(self, key: str, reply: Reply) -> None:
        """Keep a reply; it is on disk when this returns."""
        self._connection.execute(
            "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?)",
            [
                key,
                _storable(reply.text),
                reply.finish,
                reply.prompt_tokens,
                reply.completion_tokens,
            ],
        )


def cache_key(content: Mapping[str, Any]) -> str:
    """Return the hash of all that determines a reply."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, default=str)
    return text_hash(text).hex()


def _storable(text: str) -> str:
    # A lone surrogate, which JSON can carry, has no place in UTF-8.
    return text.encode("utf-8", "replace").decode()
