"""A weighted sample of the tokens of a shard, which spends a budget where the teacher is uncertain.

Each answer position has for every token a weight, the teacher's probability p. Threshold sampling
(Duffield, Lund and Thorup, 2005, "Learn more, sample less") with one threshold t for the whole
shard keeps what weighs more than t as it is and every other token with a chance of p / t, as t. So
any sum of p times something is estimated without bias. A position that the teacher is certain of
takes one entry; one with much in its tail takes tail / t draws, and draws in proportion to the tail
are those with the least variance.

The probabilities of a shard are too many to be held until its threshold is known. So a position is
first sampled with the threshold 1 / `POINTS`; the entries are weights again, which are sampled once
more with the threshold of the shard. Both samples are systematic: weights lie end to end, and those
are drawn on which equally spaced points fall, the first of which is drawn for each position.

The ids of a position ascend and are stored as Elias and Fano do (1974, 1971): the low bits of each
as they are, the high ones in unary as steps, which is near the least that a set of ids can take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kd_kedro.training.teacher.packed_bits import Bytes, bits_of, id_bits, integers, pack

POINTS = 128  # of the first sample: the most entries of a position
ENTRY_BYTES = 8  # of one in memory: an id and a weight
PIECE = 2**12  # positions that are drawn for at a time: the sums of a shard take much memory
CACHED = 2**20  # probabilities that a processor samples at a time
UNIT = 255  # a likely token's probability is stored as so many parts of one


@dataclass(frozen=True)
class IdCode:
    """How ascending ids are divided into low and high bits.

    Attributes:
        low: Bits that are stored as they are.
        steps: How many numbers the others can make, each of which is a zero of a position's code;
            an entry is a one before the zero of its number.
    """

    low: int
    steps: int

    @classmethod
    def best(cls, vocabulary: int, budget: float) -> "IdCode":
        """Return the code that gets most entries into a budget of bytes a position."""

        def entries(code: IdCode) -> float:
            # Two bits an entry are its kind and its one; every fourth is likely and has a mass.
            return (8 * budget - code.steps) / (code.low + 2 + 8 / 4)

        codes = [cls(low, 1 + (vocabulary - 1 >> low)) for low in range(id_bits(vocabulary) + 1)]
        return max(codes, key=entries)


class TokenSample:
    """The sample of a shard while it is captured.

    Args:
        tokens: Answer positions of the shard.
    """

    def __init__(self, tokens: int) -> None:
        # In one piece from the start; what is never written takes no memory.
        self._counts = torch.empty(tokens, dtype=torch.int64)
        self._entropy = torch.empty(tokens, dtype=torch.float64)
        self._ids = torch.empty(tokens * POINTS, dtype=torch.int32)
        self._weights = torch.empty(tokens * POINTS)
        self._tokens = 0
        self._entries = 0

    def add(self, log_probs: torch.Tensor, generator: torch.Generator) -> None:
        """Sample the next positions.

        Args:
            log_probs: (positions, vocabulary) of the teacher, at the temperature of the targets.
            generator: Of the draws, on the same device.
        """
        # A processor is several times quicker with what stays in its caches.
        held = CACHED if log_probs.device.type == "cpu" else log_probs.numel()
        for part in torch.split(log_probs, max(1, held // log_probs.shape[-1])):
            counts, ids, weights, entropy = _first_sample(part, generator)
            tokens, entries = self._tokens + len(counts), self._entries + len(ids)
            self._counts[self._tokens : tokens] = counts
            self._entropy[self._tokens : tokens] = entropy
            self._ids[self._entries : entries] = ids
            self._weights[self._entries : entries] = weights
            self._tokens, self._entries = tokens, entries

    def encode(
        self, offsets: torch.Tensor, code: IdCode, budget: float, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Return what is stored of the shard.

        Args:
            offsets: (rows + 1,) where the positions of each row begin and end.
            code: Of the ids.
            budget: Bytes that all of it may take.
            generator: That of the first sample.

        Returns:
            Of the entries of all positions, one after the other: `likely`, whether each is kept as
            it is (1 bit), `low` and `high`, the two parts of its id, all as uint8 bytes; `masses`
            (likely entries,) uint8, probabilities in parts of `UNIT`, rounded up or down by chance
            so that their mean is exact; `threshold` (1,) float32, what each other entry weighs;
            `entries` and `likely_entries` (rows + 1,) int32, where those of each row begin and end;
            `entropy` (rows,) float32 nats, of the teacher's distributions, estimated without bias,
            summed over a row.
        """
        weights, ids = self._weights[: self._entries], self._ids[: self._entries]
        fixed = self._tokens * code.steps / 8 + 12 * len(offsets)
        threshold = _threshold(weights, 8 * (budget - fixed), code.low + 2)
        likely = weights > threshold
        starts = _uniform(self._tokens, generator)
        kept = likely | _drawn(weights, self._counts, threshold, starts)
        positions = torch.arange(self._tokens, dtype=torch.int32)
        positions = positions.repeat_interleave(self._counts)[kept].long()
        ids, likely = ids[kept].long(), likely[kept]
        bits = torch.zeros(len(ids) + self._tokens * code.steps, dtype=torch.uint8)
        bits[torch.arange(len(ids)) + positions * code.steps + (ids >> code.low)] = 1
        masses = weights[kept][likely] * UNIT
        masses = (masses + _uniform(len(masses), generator)).floor().clamp_max(UNIT)
        entries = _running(positions.bincount(minlength=self._tokens))[offsets]
        return {
            "likely": _packed(likely, 1),
            "low": _packed(ids & (2**code.low - 1), code.low),
            "high": _packed(bits, 1),
            "masses": masses.byte(),
            "threshold": torch.tensor([threshold], dtype=torch.float32),
            "entries": entries.int(),
            "likely_entries": _running(likely)[entries].int(),
            "entropy": _running(self._entropy)[offsets].diff().float(),
        }


class SampledShard:
    """A stored shard, and where each row begins in it.

    Args:
        stored: What `TokenSample.encode` returned, and `offsets` (rows + 1,).
        code: Of the ids.
    """

    def __init__(self, stored: Mapping[str, torch.Tensor], code: IdCode) -> None:
        self.stored: dict[str, Bytes] = {name: part.numpy() for name, part in stored.items()}
        self.threshold = float(stored["threshold"])
        offsets, entries = stored["offsets"].long(), stored["entries"].long()
        self.ends: dict[str, list[int]] = {
            "positions": offsets.tolist(),
            "entries": entries.tolist(),
            "likely": stored["likely_entries"].tolist(),
            "bits": (entries + code.steps * offsets).tolist(),
        }


def read_rows(
    rows: Sequence[tuple[SampledShard, int, int]], code: IdCode
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what each entry counts, its id, and the entropies, for rows of any shards.

    Args:
        rows: The shard of each, its number there, and the number after it (its own: no position).
        code: Of the ids.

    Returns:
        (positions, entries) float32 shares and int64 ids, filled up with shares of 0; (positions,)
        float32 nats: the entropy of a row, divided evenly among its positions.
    """

    def runs(name: str, of: str, bits: int = 1) -> list[tuple[Bytes, int, int]]:
        return [
            (shard.stored[name], bits * shard.ends[of][row], bits * shard.ends[of][end])
            for shard, row, end in rows
        ]

    # Each zero before an entry's one is a step of its position, or all those of one before it.
    ones = np.flatnonzero(bits_of(runs("high", "bits")) == 1)
    number = np.arange(len(ones))
    position = (ones - number) // code.steps
    ids = ones - number - code.steps * position << code.low
    if code.low:
        ids |= integers(bits_of(runs("low", "entries", code.low)), code.low)
    sizes = np.array([end - first for _, first, end in runs("high", "positions")])
    drawn = np.array([shard.threshold for shard, _, _ in rows], np.float32)
    shares = drawn.repeat(sizes)[position]
    masses = np.concatenate([values[first:end] for values, first, end in runs("masses", "likely")])
    shares[bits_of(runs("likely", "entries")) == 1] = masses / np.float32(UNIT)
    counts = np.bincount(position, minlength=int(sizes.sum()))
    entropy = [
        shard.stored["entropy"][row] / max(1, n)
        for (shard, row, _), n in zip(rows, sizes, strict=True)
    ]
    entropies = np.array(entropy, np.float32).repeat(sizes)

    width = int(counts.max(initial=0))
    place = number + (width * np.arange(len(counts)) - counts.cumsum() + counts)[position]
    table = np.zeros(len(counts) * width, np.float32)
    table[place] = shares
    of = np.zeros(len(table), np.int64)
    of[place] = ids
    return (
        torch.from_numpy(table.reshape(len(counts), width)),
        torch.from_numpy(of.reshape(len(counts), width)),
        torch.from_numpy(entropies),
    )


def _packed(values: torch.Tensor, bits: int) -> torch.Tensor:
    return torch.from_numpy(pack(values.numpy(), bits))


def _running(values: torch.Tensor) -> torch.Tensor:
    """Return the sums of those before each, and that of all."""
    return torch.nn.functional.pad(values.cumsum(0), (1, 0))


def _first_sample(
    log_probs: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the number of entries of each position, their ids and weights, and the entropies.

    A token is drawn with a chance of p x `POINTS`, and in any case where that is above one.
    """
    # Each line over the whole vocabulary counts: together they may be a tenth of a teacher's pass.
    # So the entropy, a sum of p times -log p, is estimated from the entries too.
    cumulated = log_probs.exp().cumsum(-1)
    start = torch.rand(
        (len(cumulated), 1), generator=generator, dtype=cumulated.dtype, device=cumulated.device
    )
    points = (torch.arange(POINTS, device=cumulated.device) + start) / POINTS
    points.clamp_max_(1 - torch.finfo(points.dtype).eps)  # rounding may have made it 1
    fell = torch.searchsorted(cumulated, points * cumulated[:, -1:], right=True)
    new = torch.ones_like(fell, dtype=torch.bool)
    new[:, 1:] = fell[:, 1:] != fell[:, :-1]
    logs = log_probs.gather(1, fell)
    weights = logs.exp().clamp_min(1 / POINTS) * new
    return new.sum(-1), fell[new].int(), weights[new].float(), -(weights * logs).sum(-1)


def _threshold(weights: torch.Tensor, bits: float, each: int) -> float:
    """Return the least threshold whose entries fit into so many bits, 1 at most."""
    low, high = 1 / POINTS, 1.0

    def needed(threshold: float) -> float:
        entries = float(weights.clamp_max(threshold).sum(dtype=torch.float64)) / threshold
        return entries * each + int((weights > threshold).sum()) * 8

    if needed(low) <= bits:
        return low
    for _ in range(20):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if needed(middle) > bits else (low, middle)
    return float(weights.new_tensor(high))  # as it is stored


def _drawn(
    weights: torch.Tensor, counts: torch.Tensor, threshold: float, starts: torch.Tensor
) -> torch.Tensor:
    """Return on which weights up to a threshold points fall that lie a threshold apart.

    Each position has a start of its own: the points of one start for all would fall on the same
    place in positions of equal weights.
    """
    drawn = torch.empty(len(weights), dtype=torch.bool)
    filled = 0
    for first in range(0, len(counts), PIECE):
        sizes, begins = counts[first : first + PIECE], starts[first : first + PIECE].double()
        end = filled + int(sizes.sum())
        light = weights[filled:end].double() / threshold
        light.masked_fill_(light > 1, 0.0)
        sums = _running(light)
        before = sums[sizes.cumsum(0) - sizes]
        ends = sums[1:] + (begins - before).repeat_interleave(sizes)
        drawn[filled:end] = ends.floor() > (ends - light).floor()
        filled = end
    return drawn


def _uniform(count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(count, generator=generator, device=generator.device).cpu()
