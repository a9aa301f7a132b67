"""How long systems take to answer, and whether the machine was quiet enough to say so.

Systems answer in turns and who begins changes, so that a busy moment hits all of them; each reads
its prompt once before it is timed. A ratio is
the median over turns of the two times of the same turn; its spread is the half-width of that
median's 95 % bootstrap interval, relative to it. Where the spread is too wide, no ratio is told.
"""

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

Floats = NDArray[np.float64]
_FEWEST = 5  # turns that a ratio needs
_DRAWS = 400


@dataclass(frozen=True)
class System:
    """Something that reads tokens and says what comes next.

    Attributes:
        steps: Takes a number of threads and returns what reads: (batch, new) int64 ids, (batch,
            all) int64 mask and a cache (None at first) become (batch, new, vocabulary) logits and
            the next cache.
        prompts: Token ids of each prompt, the same texts for every system compared.
        max_length: Tokens it can read, prompt and answer together.
    """

    steps: Callable[[int], Any]
    prompts: Sequence[Sequence[int]]
    max_length: int


@dataclass(frozen=True)
class Timings:
    """Seconds of every turn: until the first token, and until the last."""

    first: Floats
    whole: Floats
    new_tokens: int
    batch: int

    def figures(self) -> dict[str, Any]:
        """Return the latencies in ms, and tokens per second of the median answer."""
        whole = {
            f"latency_p{q}_ms": 1000 * float(np.quantile(self.whole, q / 100)) for q in (50, 95, 99)
        }
        return {
            **whole,
            "prefill_p50_ms": 1000 * float(np.median(self.first)),
            "decode_p50_ms": None if self.decode is None else 1000 * float(np.median(self.decode)),
            "tokens_per_second": self.batch * self.new_tokens / float(np.median(self.whole)),
        }

    @property
    def decode(self) -> Floats | None:
        """Seconds of a further token in each turn; None where answers have one token."""
        further = self.new_tokens - 1
        return (self.whole - self.first) / further if further else None


def time_in_turns(
    systems: Mapping[str, System],
    *,
    threads: int,
    batch: int,
    new_tokens: int,
    max_seconds: float,
) -> dict[str, Timings]:
    """Time greedy answers of all systems in turns after a warm-up.

    Args:
        systems: Who answers, by name.
        threads: CPU threads to compute on.
        batch: Prompts answered together.
        new_tokens: Tokens of every answer.
        max_seconds: Time after which no further turn is begun; one is timed in any case.

    Returns:
        By name the seconds of each turn; a turn is the same prompts for all.
    """
    import torch

    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in systems}
    turns = len(next(iter(systems.values())).prompts)
    with cpu_threads(threads), torch.inference_mode():
        steps = {name: each.steps(threads) for name, each in systems.items()}
        for name, each in systems.items():
            answer_seconds(steps[name], each, 0, batch, min(2, new_tokens))
        begun = time.perf_counter()
        label = f"latency, {threads} threads, batch {batch}"
        for turn in tqdm(range(turns), desc=label, disable=None):
            if turn and time.perf_counter() - begun > max_seconds:
                break
            order = list(systems)[:: 1 if turn % 2 else -1]
            for name in order:
                # What another system pushed out of the caches comes back before the clock starts.
                answer_seconds(steps[name], systems[name], turn, batch, 1)
                seconds[name].append(
                    answer_seconds(steps[name], systems[name], turn, batch, new_tokens)
                )
    return {
        name: Timings(
            np.array([first for first, _ in each]),
            np.array([whole for _, whole in each]),
            new_tokens,
            batch,
        )
        for name, each in seconds.items()
    }


def certified(
    slow: Floats | None, fast: Floats | None, *, quantile: float | None, max_spread: float
) -> tuple[float | dict[str, str], float | None]:
    """Return how many times as long one system takes as another, or why that cannot be said.

    Args:
        slow: Seconds of each turn; None where there is nothing to time.
        fast: Seconds of the other system in the same turns.
        quantile: Compare this quantile of both; None: the median of the paired ratios.
        max_spread: Largest relative half-width of the ratio's interval.

    Returns:
        The ratio, or `{"refused": reason}`; and its spread.
    """
    if slow is None or fast is None:
        return {"refused": "answers of one token have no further tokens to time"}, None
    turns = len(slow)
    if turns < _FEWEST:
        reason = f"{turns} turns fitted into the time, fewer than the {_FEWEST} it takes"
        return {"refused": reason}, None

    def ratio(picks: Any) -> Any:
        if quantile is None:
            return np.median((slow / fast)[picks], axis=-1)
        return np.quantile(slow[picks], quantile, axis=-1) / np.quantile(
            fast[picks], quantile, axis=-1
        )

    value = float(ratio(np.arange(turns)))
    draws = ratio(np.random.default_rng(0).integers(turns, size=(_DRAWS, turns)))
    low, high = np.quantile(draws, [0.025, 0.975])
    spread = float(high - low) / 2 / value
    if spread > max_spread:
        reason = (
            f"the ratio spreads by ±{100 * spread:.0f} % over {turns} turns, more than "
            f"{100 * max_spread:.0f} %"
        )
        return {"refused": reason}, spread
    return value, spread


def cores() -> int:
    """Return how many cores this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load() -> float | None:
    """Return the machine's load of the last minute; None where it tells none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def processor() -> str:
    """Return the name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch compute on this many CPU threads inside the block; 0 changes nothing."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def answer_seconds(
    steps: Any, system: System, turn: int, batch: int, new_tokens: int
) -> tuple[float, float]:
    """Write greedy tokens after the prompts of a turn; return the seconds to first and last.

    Args:
        steps: What reads, as `System.steps` returns it.
        system: Who answers.
        turn: Number of the turn, which chooses the prompts.
        batch: Prompts answered together.
        new_tokens: Tokens of every answer.
    """
    import torch

    kept = max(1, system.max_length - new_tokens)
    count = len(system.prompts)
    prompts = [list(system.prompts[(turn * batch + i) % count])[-kept:] for i in range(batch)]
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(row)) + row for row in prompts])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in prompts])
    start = time.perf_counter()
    first, cache = 0.0, None
    for number in range(new_tokens):
        logits, cache = steps(ids, mask, cache)
        ids = logits[:, -1:].argmax(-1).cpu()  # waits for an accelerator to finish
        mask = torch.cat([mask, torch.ones_like(ids)], dim=1)
        if number == 0:
            first = time.perf_counter() - start
    return first, time.perf_counter() - start
