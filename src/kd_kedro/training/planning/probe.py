"""A short probe of a distillation: a few real batches, and from them the cost of all.

The probed batches are spread over the lengths of the rows and include the longest, whose memory is
the peak; their time is a line in the padded tokens. Trainings are probed through `train` itself, so
that what its loop, optimiser, evaluations and checkpoints take is in the figure.
"""

import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import TrainerCallback

from kd_kedro.models.encoding import Example, batches_by_length
from kd_kedro.training.loop.sampling import LengthGroupedSampler
from kd_kedro.training.loop.train import train
from kd_kedro.training.loop.training_config import ObjectiveConfig, TrainingConfig, planned_steps
from kd_kedro.training.planning.compute import tokens_read
from kd_kedro.training.planning.plan import CaptureCost, Rates, TrainingCost
from kd_kedro.training.teacher.capture import capture
from kd_kedro.training.teacher.capture_config import CaptureConfig
from kd_kedro.training.teacher.signals import TargetSource
from kd_kedro.training.teacher.store import Teachers
from kd_kedro.training.teacher.token_sample import ENTRY_BYTES, POINTS

MOST_BATCHES = 64
SECONDS = 4.0  # of a probe, about
_EVALUATED = 64  # rows of one forward pass of an evaluation, as `summed_cross_entropy` has them

Rows = Sequence[Example]
Item = TypeVar("Item")


def training_batches(rows: Rows, settings: TrainingConfig, seed: int) -> list[Rows]:
    """Return the batches of the first epoch, shortest first, without one that is not full."""
    batches = _in_order(rows, settings, seed)
    full = [batch for batch in batches if len(batch) == settings.batch_size] or batches
    return sorted(full, key=padded_tokens)


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Return some items in order, evenly spread, the last always among them."""
    if count >= len(items):
        return list(items)
    last = len(items) - 1
    return [items[last - round(place * last / max(1, count - 1))] for place in range(count)][::-1]


def padded_tokens(batch: Rows) -> int:
    """Return how many tokens a model reads of a batch, padding included."""
    return len(batch) * max(len(row.input_ids) for row in batch)


def weight_bytes(model: Any) -> int:
    """Return the bytes of a model's weights, tied ones once."""
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


def probe_training(
    model: Any,
    rows: Rows,
    validation: Rows,
    probed: Sequence[Rows],
    *,
    objective: ObjectiveConfig,
    targets: TargetSource | None,
    settings: TrainingConfig,
    seed: int,
    padding: int,
    work_dir: Path,
    name: str,
) -> TrainingCost:
    """Train a model a few steps, and say what the whole training will cost.

    Args:
        model: The model before its training; it is changed.
        rows: All training rows.
        validation: All validation rows.
        probed: Batches of `training_batches` that may be trained on, shortest first.
        objective: What is minimised.
        targets: The teacher's signals for the probed batches.
        settings: Budget and optimiser of the whole training.
        seed: Seed of the row order.
        padding: The padding token.
        work_dir: Where checkpoints may lie; the caller removes it.
        name: Name of the model that is trained.

    Raises:
        ValueError: If the targets cannot serve the objective.
    """
    run = partial(
        train,
        model,
        objective=objective,
        targets=targets,
        seed=seed,
        padding=padding,
        work_dir=work_dir,
        description=name,
    )
    short = settings.model_copy(
        update={
            "gradient_accumulation_steps": 1,
            "epochs": 2.0,
            "max_tokens": 2**62,
            "max_steps": 2,
            "num_evaluations": 1,
            "patience": 0,
            "save_steps": 0,
        }
    )
    warm = _Stopwatch()
    run(probed[-1], [], settings=short, callbacks=[warm])
    step = warm.laps["batch"][-1] + warm.laps["update"][-1]
    chosen = evenly(probed, max(2, int(SECONDS / step)))
    evaluations = _by_length(validation, _EVALUATED)
    per_token = step / padded_tokens(probed[-1])
    forwards = (
        max(1, int(SECONDS / (per_token * padded_tokens(evaluations[-1])))) if validation else 0
    )
    evaluated = evenly(evaluations, forwards)

    watch = _Stopwatch()
    flat, scored = list(chain(*chosen)), list(chain(*evaluated))
    short = short.model_copy(update={"epochs": 1.0, "max_steps": 0})
    begun = time.perf_counter()
    run(flat, scored, settings=short, callbacks=[watch])
    start = time.perf_counter() - begun - sum(map(sum, watch.laps.values()))

    tokens = [padded_tokens(batch) for batch in training_batches(rows, settings, seed)]
    seen = [padded_tokens(batch) for batch in _in_order(flat, settings, seed)]
    scored_share = _tokens(evaluations) / _tokens(evaluated) if validation else 0.0
    steps = planned_steps(rows, settings)
    every = max(1, steps // settings.num_evaluations)
    return TrainingCost(
        name=name,
        steps=steps,
        epochs=steps * settings.gradient_accumulation_steps * settings.batch_size / len(rows),
        accumulation=settings.gradient_accumulation_steps,
        evaluations=steps // every if validation else 0,
        checkpoints=steps // every + _times(steps, settings.save_steps),
        rates=Rates(
            start=start,
            batch=_at(statistics.fmean(tokens), seen, watch.laps["batch"]),
            update=statistics.fmean(watch.laps["update"]) + statistics.fmean(watch.laps["between"]),
            evaluation=sum(watch.laps["evaluation"]) * scored_share,
            checkpoint=max(watch.laps["checkpoint"], default=0.0),
        ),
        memory=0,
        checkpoint_bytes=watch.checkpoint_bytes,
        model_bytes=weight_bytes(model),
        parameters=sum(weight.numel() for weight in model.parameters()),
        tokens=tokens_read(rows, steps, settings),
    )


def probe_capture(
    teachers: Teachers,
    rows: Rows,
    probed: Sequence[Rows],
    belongs_to: Mapping[str, Any],
    work_dir: Path,
    settings: CaptureConfig,
) -> tuple[CaptureCost, dict[str, Any], list[Rows]]:
    """Capture a few batches, and say what capturing all rows will cost.

    Args:
        teachers: Each with its weight.
        rows: All training rows.
        probed: Batches of `training_batches` that may be read, shortest first.
        belongs_to: What `identity` says.
        work_dir: Where the captured targets lie, in `store`; the caller removes it.
        settings: The settings of the whole capture.

    Returns:
        The cost, the manifest of what was captured, and the batches that were.

    Raises:
        ValueError: What `capture` refuses.
    """
    # Its batches are larger than those of a training: the longest is what takes the most memory.
    longest = _by_length(rows, settings.batch_size)[-1]
    start = time.perf_counter()
    capture(teachers, longest, belongs_to, work_dir / "warm", settings)
    per_token = (time.perf_counter() - start) / padded_tokens(longest)
    once = per_token * padded_tokens(probed[-1])
    chosen = evenly(probed, max(2, int(SECONDS / once)))
    flat = list(chain(*chosen))
    start = time.perf_counter()
    manifest = capture(teachers, flat, belongs_to, work_dir / "store", settings)
    seconds = time.perf_counter() - start
    tokens = sum(row.answer_tokens for row in rows)
    cost = CaptureCost(
        rows=len(rows),
        answer_tokens=tokens,
        seconds=seconds * _captured_tokens(rows, settings) / _captured_tokens(flat, settings),
        memory=0,
        bytes=round(manifest["bytes"] / manifest["answer_tokens"] * tokens),
        parameters=sum(teacher.parameters for teacher, _ in teachers),
        tokens=sum(len(row.input_ids) for row in rows),
    )
    return cost, manifest, chosen


def shard_memory(cost: CaptureCost, manifest: Mapping[str, Any], settings: CaptureConfig) -> int:
    """Return the bytes by which a whole shard in the making is larger than the probe's.

    A shard is held as tensors and as the bytes of its file; one that is sampled, before that, as
    more entries than are kept.
    """
    share = min(1.0, settings.rows_per_shard / cost.rows)
    held: int = max(shard["bytes"] for shard in manifest["shards"])
    first = cost.answer_tokens * share * ENTRY_BYTES * POINTS if settings.source == "sampled" else 0
    return max(0, round(2 * (cost.bytes * share - held) + first))


class PeakMemory:
    """Measures the peak memory from its making on: of the GPU, or of this process."""

    def __init__(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        else:
            with suppress(OSError):  # Linux alone forgets an earlier peak
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    def bytes(self) -> int:
        """Return the peak so far."""
        if torch.cuda.is_available():
            return torch.cuda.max_memory_reserved()
        with suppress(OSError):
            status = Path("/proc/self/status").read_text(encoding="ascii")
            return int(status.split("VmHWM:")[1].split()[0]) * 1024
        peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


class _Stopwatch(TrainerCallback):  # type: ignore[misc]
    """Where the seconds of a training go, and how large its checkpoints are."""

    def __init__(self) -> None:
        self.laps: dict[str, list[float]] = defaultdict(list)
        self.checkpoint_bytes = 0
        self._last = 0.0

    def _lap(self, name: str) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.laps[name].append(now - self._last)
        self._last = now

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._last = time.perf_counter()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._lap("between")

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._lap("batch")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._lap("update")

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._lap("evaluation")

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._lap("checkpoint")
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        files = (path.stat().st_size for path in folder.rglob("*") if path.is_file())
        self.checkpoint_bytes = max(self.checkpoint_bytes, sum(files))
        self._last = time.perf_counter()


def _in_order(rows: Rows, settings: TrainingConfig, seed: int) -> list[Rows]:
    """Return the batches of the first epoch, in its order."""
    lengths = [len(row.input_ids) for row in rows]
    order = list(LengthGroupedSampler(lengths, settings.batch_size, seed))
    starts = range(0, len(order), settings.batch_size)
    return [[rows[i] for i in order[at : at + settings.batch_size]] for at in starts]


def _times(steps: int, every: int) -> int:
    return steps // every if every else 0


def _at(wanted: float, tokens: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the seconds of a batch of so many tokens, on the line through those measured."""
    if len(set(tokens)) == 1:
        return statistics.fmean(seconds) * wanted / tokens[0]
    line = statistics.linear_regression(tokens, seconds)
    return line.intercept + line.slope * wanted


def _by_length(rows: Rows, batch_size: int) -> list[Rows]:
    """Return the batches of an evaluation or a capture, shortest first."""
    chosen = batches_by_length([len(row.input_ids) for row in rows], batch_size)
    batches: list[Rows] = [[rows[index] for index in batch] for batch in chosen]
    return batches[::-1]


def _tokens(batches: Sequence[Rows]) -> int:
    return sum(map(padded_tokens, batches))


def _captured_tokens(rows: Rows, settings: CaptureConfig) -> int:
    return _tokens(_by_length(rows, settings.batch_size))
