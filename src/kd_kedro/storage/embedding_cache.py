"""Embeddings kept on disk by the content of their text, so that a rerun embeds nothing again."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kd_kedro.storage.keyed_cache import open_cache, text_hash

Vectors = npt.NDArray[np.float32]
_CHUNK = 500  # keys in one query; SQLite allows 999 in old builds


class EmbeddingCache:
    """Vectors by text in one SQLite file; several processes may share it.

    Args:
        path: The file; made where it is absent.
        model: What made the vectors (weights' hash, precision): vectors of another are not found.

    Raises:
        ValueError: The file is no SQLite database.
    """

    def __init__(self, path: Path, model: str) -> None:
        self._model = model
        self._connection = open_cache(
            path,
            "CREATE TABLE IF NOT EXISTS embeddings (model TEXT, text_hash BLOB, vector BLOB, "
            "PRIMARY KEY (model, text_hash)) WITHOUT ROWID",
            holds="embeddings",
            parameter="sentence_embedder.cache",
        )

    def find(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """Return the vectors of those texts that are known, float32 (d,) each."""
        by_hash = {_key(text): text for text in texts}
        found: dict[str, Vectors] = {}
        for hashes in _chunks(list(by_hash)):
            marks = ",".join("?" * len(hashes))
            query = (
                "SELECT text_hash, vector FROM embeddings "
                f"WHERE model = ? AND text_hash IN ({marks})"
            )
            for key, vector in self._connection.execute(query, [self._model, *hashes]):
                found[by_hash[key]] = np.frombuffer(vector, dtype=np.float32)
        return found

    def add(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Keep vectors, float32 (n, d), of n texts."""
        # One transaction: each by itself would be written to the disk by itself.
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?)",
                [
                    (self._model, _key(text), vector.astype(np.float32).tobytes())
                    for text, vector in zip(texts, vectors, strict=True)
                ],
            )


def _key(text: str) -> bytes:
    return text_hash(text)[:16]


def _chunks(hashes: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(hashes), _CHUNK):
        yield hashes[start : start + _CHUNK]
