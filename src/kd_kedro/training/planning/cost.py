"""What each part of a distillation costs: models are made and probed, as a run would make them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from kd_kedro.models.encoding import NO_PROMPTS, Example, Prompts, pad_token_id, with_prompts
from kd_kedro.models.precision import resolve_precision
from kd_kedro.training.examples import triples
from kd_kedro.training.loop.model_training import TrainingInputs
from kd_kedro.training.loop.training_config import ObjectiveConfig, TrainingConfig
from kd_kedro.training.planning.plan import CaptureCost, Rates, TrainingCost
from kd_kedro.training.planning.probe import (
    MOST_BATCHES,
    PeakMemory,
    Rows,
    evenly,
    probe_capture,
    probe_training,
    shard_memory,
    training_batches,
    weight_bytes,
)
from kd_kedro.training.teacher.capture_config import CaptureConfig
from kd_kedro.training.teacher.signals import TargetSource
from kd_kedro.training.teacher.store import Teachers, identity, open_targets
from kd_kedro.training.teacher.targets import live_teacher

Make = Callable[[], Any]


@dataclass(frozen=True)
class EncodedInputs:
    """What trainings learn from as they get it, and how long that takes.

    Attributes:
        inputs: The tables, the tokenizer and the folder the probe may use.
        rows: The examples as tokens.
        validation: The validation examples as tokens.
        seconds: What encoding them took.
    """

    inputs: TrainingInputs
    rows: list[Example]
    validation: list[Example]
    seconds: float

    @property
    def tokenizer_bytes(self) -> int:
        """Bytes of the tokenizer.json that lies beside every model."""
        return len(self.inputs.tokenizer.backend_tokenizer.to_str(pretty=True).encode())


@dataclass(frozen=True)
class CapturedBatches:
    """What the students' probes read, and what it cost.

    Attributes:
        cost: The cost of capturing all examples.
        identity_seconds: What fingerprints of examples and teachers took.
        cached: The captured targets as a source.
        live: The teachers as a source.
        probed: The batches that were captured.
    """

    cost: CaptureCost
    identity_seconds: float
    cached: TargetSource
    live: TargetSource
    probed: list[Rows]


def encode_inputs(inputs: TrainingInputs) -> EncodedInputs:
    """Return what trainings learn from as tokens."""
    start = time.perf_counter()
    rows, validation = map(inputs.encode, (inputs.examples, inputs.validation))
    return EncodedInputs(inputs, rows, validation, time.perf_counter() - start)


def training_cost(
    encoded: EncodedInputs,
    make: Make,
    settings: TrainingConfig,
    seed: int,
    *,
    name: str,
    objective: ObjectiveConfig,
    targets: TargetSource | None = None,
    probed: list[Rows] | None = None,
) -> tuple[Any, TrainingCost]:
    """Make a model, train it a few steps, and say what all of its training will cost.

    Args:
        encoded: What it learns from.
        make: Makes the model.
        settings: Budget and optimiser.
        seed: Seed of the order of the examples.
        name: Name of the model that is trained.
        objective: What is minimised.
        targets: The teacher's signals of the probed batches.
        probed: Batches that may be trained on; None for those of the training itself.

    Returns:
        The model, changed by the steps, and the cost.
    """
    if probed is None:
        probed = training_batches(encoded.rows, settings, seed)
    peak, start = PeakMemory(), time.perf_counter()
    model = make()
    made_in = time.perf_counter() - start
    cost = probe_training(
        model,
        encoded.rows,
        encoded.validation,
        evenly(probed, MOST_BATCHES),
        objective=objective,
        targets=targets,
        settings=settings,
        seed=seed,
        padding=pad_token_id(encoded.inputs.tokenizer),
        work_dir=encoded.inputs.work_dir,
        name=name,
    )
    return model, replace(
        starting_later(cost, made_in + encoded.seconds),
        memory=peak.bytes(),
        model_bytes=cost.model_bytes + encoded.tokenizer_bytes,
    )


def loading_cost(encoded: EncodedInputs, make: Make, name: str) -> tuple[Any, TrainingCost]:
    """Make a model that is used as it is, and say what that costs."""
    peak, start = PeakMemory(), time.perf_counter()
    model = make()
    rates = Rates(time.perf_counter() - start, 0.0, 0.0, 0.0, 0.0)
    saved = weight_bytes(model) + encoded.tokenizer_bytes
    parameters = sum(weight.numel() for weight in model.parameters())
    cost = TrainingCost(name, 0, 0.0, 1, 0, 0, rates, peak.bytes(), 0, saved, parameters, 0.0)
    return model, cost


def capture_cost(
    encoded: EncodedInputs,
    teachers: Teachers,
    settings: CaptureConfig,
    objective: ObjectiveConfig,
    batches: list[Rows],
    prompts: Prompts = NO_PROMPTS,
) -> CapturedBatches:
    """Capture a few batches, and say what capturing all examples will cost.

    Args:
        encoded: What students learn from.
        teachers: Each with its share.
        settings: What is kept, and how; a precision `auto` is resolved.
        objective: What students will ask of it.
        batches: Those of a student's training.
        prompts: What teachers read in place of a row's prompt, by row id.

    Raises:
        ValueError: The targets cannot serve the objective.
    """
    peak, start = PeakMemory(), time.perf_counter()
    inputs, precision = encoded.inputs, resolve_precision(settings.precision)
    settings = settings.model_copy(update={"precision": precision})
    belongs_to = identity(triples(inputs.examples), inputs.tokenizer, teachers, inputs.max_length)
    identity_seconds = time.perf_counter() - start
    cost, manifest, probed = probe_capture(
        teachers,
        with_prompts(encoded.rows, prompts),
        [with_prompts(batch, prompts) for batch in evenly(batches, MOST_BATCHES)],
        belongs_to,
        inputs.work_dir,
        settings,
    )
    cost = replace(
        cost,
        seconds=cost.seconds + identity_seconds + encoded.seconds,
        memory=peak.bytes() + (0 if on_gpu() else shard_memory(cost, manifest, settings)),
    )
    cached = open_targets(manifest, inputs.work_dir / "store", belongs_to)
    objective.check(cached)
    live = live_teacher(teachers, inputs.tokenizer, precision, prompts)
    asked = {row.row_id: row for row in encoded.rows}  # as students are
    read: list[Rows] = [[asked[row.row_id] for row in batch] for batch in probed]
    return CapturedBatches(cost, identity_seconds, cached, live, read)


def starting_later(cost: TrainingCost, seconds: float) -> TrainingCost:
    """Add what comes once, before the training itself."""
    return replace(cost, rates=replace(cost.rates, start=cost.rates.start + seconds))


def unbucketed(objective: ObjectiveConfig) -> ObjectiveConfig:
    """Return what is asked of a live teacher, which has every token: there no bucket is needed."""
    return objective.model_copy(
        update={"divergence": objective.divergence.removeprefix("bucketed_")}
    )


def on_gpu() -> bool:
    """Return whether a run trains on a GPU."""
    return torch.cuda.is_available()
