"""An SQLite file of results kept by what they were made from; several processes may share it."""

import hashlib
import sqlite3
from pathlib import Path


def open_cache(path: Path | None, schema: str, *, holds: str, parameter: str) -> sqlite3.Connection:
    """Return a connection that commits each statement by itself.

    Args:
        path: The file, made where it is absent; None keeps the cache in memory.
        schema: The statement that makes the table where it is absent.
        holds: What the cache holds, for the error.
        parameter: Where the catalog names the file, for the error.

    Raises:
        ValueError: The file is no SQLite database.
    """
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = sqlite3.connect(
            path or ":memory:", timeout=60, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode=WAL")
        # A result that a power failure takes is made again.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(schema)
    except sqlite3.DatabaseError as error:
        raise ValueError(
            f"{path} cannot hold the cache of {holds} ({error}): delete it, or name another file "
            f"as {parameter} in the catalog"
        ) from error
    return connection


def text_hash(text: str) -> bytes:
    """Return the SHA-256 of a text, 32 bytes; lone surrogates count as they are."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
