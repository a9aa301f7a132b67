"""Integers in as few bits as they need, end to end, the lowest bit first."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]


def id_bits(vocabulary: int) -> int:
    """Return the bits that an id of a vocabulary takes."""
    return max(1, (vocabulary - 1).bit_length())


def pack(values: NDArray[Any], bits: int) -> Bytes:
    """Return integers as bytes; each run ends with a whole one.

    Args:
        values: (…, values) from 0 to 2**bits - 1; a run is what lies along the last dimension.
        bits: Of each value, 32 at most.

    Returns:
        (…, bytes).
    """
    words = values.astype("<u4")[..., None].view(np.uint8)
    planes = np.unpackbits(words, axis=-1, bitorder="little")[..., :bits]
    runs = planes.reshape(*values.shape[:-1], values.shape[-1] * bits)
    return np.packbits(runs, axis=-1, bitorder="little")


def unpack(packed: Bytes, count: int, bits: int) -> Integers:
    """Return the first integers of each run of `pack`, (…, count)."""
    return integers(np.unpackbits(packed, axis=-1, bitorder="little")[..., : count * bits], bits)


def bits_of(runs: Sequence[tuple[Bytes, int, int]]) -> Bytes:
    """Return bits one by one, as 0 and 1, of several places one after the other.

    Args:
        runs: The bytes that each place lies in, its first bit there and the one after its last.
    """
    return np.concatenate(
        [
            np.unpackbits(packed[first // 8 : -(-end // 8)], bitorder="little")[
                first % 8 : first % 8 + end - first
            ]
            for packed, first, end in runs
        ]
    )


def integers(planes: Bytes, bits: int) -> Integers:
    """Return the integers that bits make, (…, integers) of (…, integers x bits)."""
    count = planes.shape[-1] // bits
    width = -(-bits // 8)
    words = np.zeros((*planes.shape[:-1], count, 8 * width), np.uint8)
    words[..., :bits] = planes.reshape(*planes.shape[:-1], count, bits)
    # All at once: an axis would be a call for each integer.
    packed = np.packbits(words.reshape(-1), bitorder="little")
    parts = packed.reshape(*words.shape[:-1], width).astype(np.int64)
    made: Integers = parts[..., 0]
    for place in range(1, width):
        made = made | parts[..., place] << 8 * place
    return made
