"""Integers in as few bits as they need, end to end."""

from collections.abc import Sequence

import numpy as np
import torch


def id_bits(vocabulary: int) -> int:
    """Return the bits that an id of a vocabulary takes."""
    return max(1, (vocabulary - 1).bit_length())


def pack(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Return integers as bytes, the lowest bit first; each run ends with a whole byte.

    Args:
        values: (…, values) from 0 to 2**bits - 1; a run is what lies along the last dimension.
        bits: Of each value, 32 at most.

    Returns:
        (…, bytes) uint8, on the CPU.
    """
    words = values.cpu().numpy().astype("<u4")[..., None].view(np.uint8)
    planes = np.unpackbits(words, axis=-1, bitorder="little")[..., :bits]
    runs = planes.reshape(*values.shape[:-1], values.shape[-1] * bits)
    return torch.from_numpy(np.packbits(runs, axis=-1, bitorder="little"))


def unpack(packed: torch.Tensor, places: torch.Tensor, bits: int) -> torch.Tensor:
    """Return the integers that begin at given bits.

    Args:
        packed: (bytes,) uint8.
        places: int64 of any shape: the bit that each integer begins at.
        bits: Of each integer.

    Returns:
        int64, of the shape of `places`.
    """
    span = (bits + 14) // 8  # bytes that an integer may touch
    whole = torch.cat([packed, packed.new_zeros(span)])
    first = places >> 3
    values = whole[first].long()
    for place in range(1, span):
        values |= whole[first + place].long() << 8 * place
    return (values >> (places & 7)) & (2**bits - 1)


def unpack_runs(runs: Sequence[tuple[torch.Tensor, int, int]], bits: int) -> torch.Tensor:
    """Return runs of integers, one after the other.

    Args:
        runs: Of each the (bytes,) it lies in, the number of its first integer there, and that of
            the one after its last.
        bits: Of each integer.

    Returns:
        (integers,) int64.
    """
    cuts = [packed[first * bits // 8 : -(-end * bits // 8)] for packed, first, end in runs]
    sizes = torch.tensor([end - first for _, first, end in runs])
    begins = torch.tensor([8 * len(cut) for cut in cuts]).cumsum(0)
    begins = begins.roll(1)
    begins[0] = 0
    begins += torch.tensor([first * bits % 8 for _, first, _ in runs])
    before = (sizes.cumsum(0) - sizes) * bits
    places = (begins - before).repeat_interleave(sizes) + torch.arange(int(sizes.sum())) * bits
    return unpack(torch.cat(cuts), places, bits)
