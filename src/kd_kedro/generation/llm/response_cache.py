"""Replies of language models kept on disk by what was asked, so that nothing is asked twice."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kd_kedro.generation.llm.replies import Reply


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
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = sqlite3.connect(
                path or ":memory:", timeout=60, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, text TEXT, finish TEXT, "
                "prompt_tokens INTEGER, completion_tokens INTEGER) WITHOUT ROWID"
            )
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"{path} cannot hold the cache of replies ({error}): delete it, or name another "
                "file as text_generator.cache in the catalog"
            ) from error

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
    return hashlib.sha256(text.encode()).hexdigest()


def _storable(text: str) -> str:
    # A lone surrogate, which JSON can carry, has no place in UTF-8.
    return text.encode("utf-8", "replace").decode()
