"""The compression certificate: what the student costs next to its teacher.

Size, speed and memory of teacher, student and the student's variants. A figure that the machine
was too busy to measure is refused, with the reason in its place (see `latency`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kd_kedro.metrics.efficiency.latency import (
    System,
    Timings,
    certified,
    cores,
    cpu_threads,
    load,
    processor,
    time_in_turns,
)
from kd_kedro.metrics.efficiency.memory import live_bytes
from kd_kedro.metrics.efficiency.parity import pareto_table

ELSEWHERE = "the teacher is behind a server, where its weights and its time cannot be measured"
SCHEMA = "kd_kedro.compression/2"
RATIOS = (
    *("parameters", "bytes", "peak_memory", "latency_p50", "latency_p95", "latency_p99"),
    *("prefill_p50", "decode_p50", "tokens_per_second"),
)
HOW = (
    "all models in turns, who begins alternating, after a warm-up; exactly as many greedy "
    "tokens from each, the head on the last token alone but in ONNX; a ratio says how many "
    "times cheaper the student is (tokens per second: how many times as many), times as the "
    "median over turns of the paired ratios; spread is the half-width of its 95 % bootstrap "
    "interval, relative; latency_spread is the interquartile range over the median; peak memory"
    " is weights plus the largest sum of live tensors while answering"
)


@dataclass(frozen=True)
class Entry:
    """A model to be certified.

    Attributes:
        system: What answers.
        facts: What is known without timing: parameters, bytes, dtype, device, perplexity; of a
            variant status and reason as well.
        weight_bytes: Its weights in memory; None where live tensors cannot be counted.
        scoring: Steps with the logits of every token, where those timed have the last one's alone.
    """

    system: System
    facts: Mapping[str, Any] = field(default_factory=dict)
    weight_bytes: int | None = None
    scoring: Any = None


def certify(
    teacher: Entry | None,
    student: Entry,
    variants: Mapping[str, Entry | Mapping[str, Any]],
    *,
    new_tokens: int,
    max_seconds: float,
    batch_sizes: Sequence[int],
    threads: Sequence[int],
    max_spread: float,
) -> dict[str, Any]:
    """Return the certificate of teacher, student and the student's variants.

    Args:
        teacher: The large model; None where it is behind a server, and nothing is compared.
        student: The small one.
        variants: By name other forms of the student; one that could not be made is a mapping with
            its status and reason.
        new_tokens: Greedy tokens per answer; less where a model has too few positions.
        max_seconds: Time for each setting of threads and batch.
        batch_sizes: Prompts answered together; the first is the one of `ratios`.
        threads: CPU threads, 0 for all cores; the first are those of `ratios`.
        max_spread: Ratios that spread more are refused.

    Returns:
        JSON-able dict of `SCHEMA`.
    """
    before = load()
    main = {"student": student} if teacher is None else {"teacher": teacher, "student": student}
    made = {name: each for name, each in variants.items() if isinstance(each, Entry)}
    entries = {**main, **made}
    new_tokens = max(1, min(new_tokens, *(each.system.max_length - 1 for each in entries.values())))
    # On one core all cores are one thread: the same setting is not measured twice.
    places = list(dict.fromkeys((t or cores(), size) for t in threads for size in batch_sizes))
    timed = []
    for number, (count, size) in enumerate(places):
        chosen = entries if number == 0 else main
        systems = {name: each.system for name, each in chosen.items()}
        timed.append(
            time_in_turns(
                systems, threads=count, batch=size, new_tokens=new_tokens, max_seconds=max_seconds
            )
        )
    figures = {
        name: {**each.facts, "peak_memory_bytes": _peak_memory(each, new_tokens)}
        | timed[0][name].figures()
        for name, each in entries.items()
    }
    ratios = {
        name: _ratios(figures, timed[0], name, max_spread) for name in entries if name != "teacher"
    }
    told = {
        name: {**figures[name], "ratios": ratios[name]} if isinstance(each, Entry) else dict(each)
        for name, each in variants.items()
    }
    return {
        "schema": SCHEMA,
        "device": student.facts.get("device", "cpu"),
        "machine": {
            "cpu": processor(),
            "cores": cores(),
            "load_before": before,
            "load_after": load(),
        },
        "threads": places[0][0],
        "batch": places[0][1],
        "new_tokens": new_tokens,
        "answers_timed": len(timed[0]["student"].whole),
        "max_spread": max_spread,
        "teacher": figures.get("teacher", dict.fromkeys(figures["student"])),
        "student": figures["student"],
        "variants": told,
        "ratios": ratios["student"],
        "latency_spread": {name: _spread(timed[0][name]) for name in main},
        "settings": [
            _setting(count, size, each, max_spread)
            for (count, size), each in zip(places, timed, strict=True)
        ],
        "pareto": pareto_table(figures),
        "how": HOW,
    }


def _ratios(
    figures: Mapping[str, Mapping[str, Any]],
    timed: Mapping[str, Timings],
    name: str,
    max_spread: float,
) -> dict[str, Any]:
    if "teacher" not in figures:
        return {ratio: {"refused": ELSEWHERE} for ratio in RATIOS}
    teacher, own = figures["teacher"], figures[name]
    ratios: dict[str, Any] = {
        ratio: teacher[figure] / own[figure]
        for ratio, figure in (
            ("parameters", "parameters"),
            ("bytes", "bytes"),
            ("peak_memory", "peak_memory_bytes"),
        )
        if own.get(figure) and teacher.get(figure)
    }
    slow, fast = timed["teacher"], timed[name]
    for ratio, pair, quantile in (
        ("latency_p50", (slow.whole, fast.whole), None),
        ("latency_p95", (slow.whole, fast.whole), 0.95),
        ("latency_p99", (slow.whole, fast.whole), 0.99),
        ("prefill_p50", (slow.first, fast.first), None),
        ("decode_p50", (slow.decode, fast.decode), None),
    ):
        ratios[ratio], _ = certified(*pair, quantile=quantile, max_spread=max_spread)
    # As many tokens in an answer of each: the same ratio.
    ratios["tokens_per_second"] = ratios["latency_p50"]
    return ratios


def _setting(
    threads: int, batch: int, timed: Mapping[str, Timings], max_spread: float
) -> dict[str, Any]:
    teacher, student = timed.get("teacher"), timed["student"]
    ratio, spread = (
        certified(teacher.whole, student.whole, quantile=None, max_spread=max_spread)
        if teacher
        else ({"refused": ELSEWHERE}, None)
    )
    refused = ratio if isinstance(ratio, dict) else {}
    return {
        "threads": threads,
        "batch": batch,
        "turns": len(student.whole),
        "teacher": teacher.figures() if teacher else dict.fromkeys(student.figures()),
        "student": student.figures(),
        "ratio": None if refused else ratio,
        "spread": spread,
        **refused,
    }


def _spread(timed: Timings) -> float:
    low, middle, high = np.quantile(timed.whole, [0.25, 0.5, 0.75])
    return float((high - low) / middle)


def _peak_memory(entry: Entry, new_tokens: int) -> int | None:
    # Counted, not asked of an accelerator: there, all models are in memory at once.
    if entry.weight_bytes is None:
        return None
    with live_bytes() as live:
        time_in_turns(
            {"": System(entry.system.steps, entry.system.prompts[:1], entry.system.max_length)},
            threads=1,
            batch=1,
            new_tokens=new_tokens,
            max_seconds=0,
        )
    return entry.weight_bytes + live["peak"]


__all__ = ["HOW", "SCHEMA", "Entry", "System", "certify", "cpu_threads"]
