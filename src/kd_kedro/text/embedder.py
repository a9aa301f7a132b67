"""What an embedder offers to the rooms that compare meanings."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (n, d), rows of length 1."""
        ...


class TokenEmbedder(Embedder, Protocol):
    """Turns texts into unit vectors, whole and token by token."""

    def encode_states(self, texts: Sequence[str]) -> list[Vectors]:
        """Return float32 (tokens, d) of each text, rows of length 1, special ones at both ends."""
        ...
