"""The order of training rows: shuffled, yet rows of like length side by side."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader, Sampler

from kd_kedro.models.encoding import Example


class LengthGroupedSampler(Sampler[int]):
    """Shuffles rows, sorts them by length within large pools, and shuffles the batches.

    Unlike the sampler of transformers, batches of a pool do not come longest first, which would
    make the loss swing with the length. The order depends on seed and epoch alone, so that a
    baseline and a student of one seed see the same batches.

    Args:
        lengths: Tokens of each row.
        batch_size: Rows of a batch; the last batch of an epoch holds what is left over.
        seed: Seed of the order.
        pool: Batches that are sorted together: the more, the less padding and the less mixing.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, pool: int = 64) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._pool = pool
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order = torch.randperm(len(self._lengths), generator=generator).tolist()
        size = self._batch_size * self._pool
        batches: list[list[int]] = []
        for start in range(0, len(order), size):
            pool = sorted(order[start : start + size], key=lambda row: self._lengths[row])
            batches += [
                pool[first : first + self._batch_size]
                for first in range(0, len(pool), self._batch_size)
            ]
        whole = [batch for batch in batches if len(batch) == self._batch_size]
        rest = [row for batch in batches if len(batch) < self._batch_size for row in batch]
        for place in torch.randperm(len(whole), generator=generator).tolist():
            yield from whole[place]
        yield from rest


class RankBatches(Sampler[list[int]]):
    """The share that one of several processes has of every batch.

    A batch is the same rows however many processes there are; they deal it out in turn, so that
    each gets short rows and long ones. Where a last, small batch does not go round, the processes
    without a row get an empty one, and stay in step.

    Args:
        order: All rows; batches are cut from it.
        batch_size: Rows of a batch, over all processes.
        rank: Which process this is.
        ranks: Number of processes.
    """

    def __init__(
        self, order: LengthGroupedSampler, batch_size: int, rank: int = 0, ranks: int = 1
    ) -> None:
        self._order = order
        self._batch_size = batch_size
        self._rank = rank
        self._ranks = ranks

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self._order.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(self._order)
        for start in range(0, len(order), self._batch_size):
            yield order[start : start + self._batch_size][self._rank :: self._ranks]


class RowLoader(DataLoader[Example]):
    """A loader of `RankBatches` that Trainer can tell the epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]
