"""What the student costs next to its teacher: size, speed, memory.

Teacher and student answer in turns, so that a busy moment of the machine hits both; one thread,
warmed up, a fixed number of greedy tokens, so that a model is not faster for saying less.
"""

import json
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

SCHEMA = "kd_kedro.compression/1"
# Name of the ratio, by the figure it compares.
_COSTS = {
    "parameters": "parameters",
    "bytes": "bytes",
    "latency_p50_ms": "latency_p50",
    "latency_p95_ms": "latency_p95",
    "peak_memory_bytes": "peak_memory",
}


@dataclass(frozen=True)
class System:
    """A causal language model and the prompts to answer, as its own tokens.

    Args:
        model: A transformers causal language model.
        prompts: Token ids of each prompt, the same texts for every system compared.
    """

    model: Any
    prompts: Sequence[Sequence[int]]


def compare(
    teacher: System,
    student: System,
    *,
    new_tokens: int,
    max_seconds: float,
) -> dict[str, Any]:
    """Return size, speed and memory of teacher and student and their ratios.

    Args:
        teacher: The large model.
        student: The small one.
        new_tokens: Greedy tokens per answer, the same for both; less where a model has too few
            positions.
        max_seconds: Time after which no further prompt is begun; three are timed in any case.

    Returns:
        JSON-able dict: `teacher` and `student` each with parameters, bytes (of the safetensors
        file), latency p50 and p95 (ms per answer), tokens_per_second (of the median answer) and
        peak_memory_bytes; `ratios`, how many times cheaper the student is (teacher ÷ student;
        tokens per second student ÷ teacher); and how it was measured.
    """
    systems = {"teacher": teacher, "student": student}
    new_tokens = min(new_tokens, *(_positions(each.model) - 1 for each in systems.values()))
    with cpu_threads(1):
        seconds = _time_in_turns(systems, new_tokens, max_seconds)
        memory = {name: _peak_memory(each, new_tokens) for name, each in systems.items()}
    measured = {
        name: _figures(each, seconds[name], memory[name], new_tokens)
        for name, each in systems.items()
    }
    return {
        "schema": SCHEMA,
        "device": str(next(iter(teacher.model.parameters())).device),
        "dtype": {name: str(each.model.dtype) for name, each in systems.items()},
        "threads": 1,
        "batch": 1,
        "new_tokens": new_tokens,
        "answers_timed": len(seconds["teacher"]),
        **measured,
        "ratios": {
            **{
                ratio: measured["teacher"][figure] / measured["student"][figure]
                for figure, ratio in _COSTS.items()
            },
            "tokens_per_second": measured["student"]["tokens_per_second"]
            / measured["teacher"]["tokens_per_second"],
        },
        "latency_spread": {
            name: float((np.quantile(each, 0.75) - np.quantile(each, 0.25)) / np.median(each))
            for name, each in seconds.items()
        },
        "how": (
            "teacher and student in turns, one prompt at a time, after a warm-up; a ratio says how "
            "many times cheaper the student is (tokens per second: how many times as many); "
            "latency_spread is the interquartile range over the median; "
            "peak memory is weights plus the largest sum of live tensors while answering"
        ),
    }


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


def safetensors_bytes(model: Any) -> int:
    """Return the size in bytes of `model.safetensors` as `save_pretrained` writes it.

    Tied weights are stored once. Computed from shapes: nothing is serialised.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    state = model.state_dict()
    tied = set(getattr(model, "all_tied_weights_keys", None) or {})
    kept = {tensor.data_ptr() for name, tensor in state.items() if name not in tied}
    offset = 0
    for name, tensor in sorted(state.items()):
        if name in tied and tensor.data_ptr() in kept:
            continue
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _DTYPES.get(str(tensor.dtype).removeprefix("torch."), "F32"),
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    length = len(json.dumps(header, separators=(",", ":")))
    return 8 + (length + 7) // 8 * 8 + offset


_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64", "bool": "BOOL"}


def _time_in_turns(
    systems: Mapping[str, System], new_tokens: int, max_seconds: float
) -> dict[str, list[float]]:
    for each in systems.values():
        _answer(each, 0, new_tokens)
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    begun = time.perf_counter()
    for number in range(len(systems["teacher"].prompts)):
        if number >= 3 and time.perf_counter() - begun > max_seconds:
            break
        # Who goes first changes, so that neither always finds the other's warm caches.
        for name in list(systems)[:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            _answer(systems[name], number, new_tokens)
            seconds[name].append(time.perf_counter() - start)
    return seconds


def _answer(system: System, number: int, new_tokens: int) -> None:
    """Write exactly `new_tokens` greedy tokens after the prompt with this number."""
    import torch

    model = system.model
    device = next(iter(model.parameters())).device
    room = _positions(model) - new_tokens
    ids = torch.tensor([list(system.prompts[number])[-room:]], device=device)
    training = model.training
    model.eval()
    with torch.inference_mode():
        cache = None
        for _ in range(new_tokens):
            output = model(input_ids=ids, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            ids = output.logits[:, -1:].argmax(-1)
        ids.tolist()  # waits for an accelerator to finish
    model.train(training)


def _positions(model: Any) -> int:
    return int(getattr(model.config, "max_position_embeddings", None) or 1024)


def _peak_memory(system: System, new_tokens: int) -> int:
    # Counted, not asked of an accelerator: there, both models are in memory at once.
    weights: dict[int, int] = {
        tensor.data_ptr(): tensor.nbytes for tensor in system.model.state_dict().values()
    }
    with _live_bytes() as live:
        _answer(system, 0, new_tokens)
    return sum(weights.values()) + live["peak"]


@contextmanager
def _live_bytes() -> Iterator[dict[str, int]]:
    """Count the bytes of tensors made inside the block that are alive at once."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    count = {"now": 0, "peak": 0}
    known: weakref.WeakSet[Any] = weakref.WeakSet()

    def release(size: int) -> None:
        count["now"] -= size

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            given = {
                id(leaf.untyped_storage())
                for leaf in tree_leaves((args, kwargs))
                if isinstance(leaf, torch.Tensor)
            }
            result = func(*args, **(kwargs or {}))
            for leaf in tree_leaves(result):
                if not isinstance(leaf, torch.Tensor):
                    continue
                storage = leaf.untyped_storage()
                if id(storage) in given or storage in known:
                    continue
                known.add(storage)
                count["now"] += storage.nbytes()
                count["peak"] = max(count["peak"], count["now"])
                weakref.finalize(storage, release, storage.nbytes())
            return result

    with Watch():  # type: ignore[no-untyped-call]
        yield count


def _figures(system: System, seconds: Sequence[float], memory: int, tokens: int) -> dict[str, Any]:
    parameters = {tensor.data_ptr(): tensor.numel() for tensor in system.model.parameters()}
    return {
        "parameters": sum(parameters.values()),
        "bytes": safetensors_bytes(system.model),
        "latency_p50_ms": 1000 * float(np.quantile(seconds, 0.5)),
        "latency_p95_ms": 1000 * float(np.quantile(seconds, 0.95)),
        "tokens_per_second": tokens / float(np.quantile(seconds, 0.5)),
        "peak_memory_bytes": memory,
    }
