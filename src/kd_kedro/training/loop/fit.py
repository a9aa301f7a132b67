"""One training in one process, alone or beside others that do the same."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.trainer_callback import PrinterCallback

from kd_kedro.models.encoding import Example
from kd_kedro.models.precision import resolve_precision
from kd_kedro.models.quiet import quiet_transformers
from kd_kedro.training.loop.hf_trainer import AnswerTrainer
from kd_kedro.training.loop.on_policy import OnPolicy
from kd_kedro.training.loop.progress_bar import ProgressBar, history
from kd_kedro.training.loop.trainer_arguments import training_arguments
from kd_kedro.training.loop.training_config import (
    ObjectiveConfig,
    OnEvaluation,
    TrainingConfig,
    planned_steps,
)
from kd_kedro.training.teacher.signals import TargetSource


@dataclass(frozen=True, eq=False)
class Training:
    """All that determines what a training ends with, and its label.

    Attributes:
        model: A causal or encoder-decoder language model, or one with an adapter.
        rows: Training rows.
        validation: Rows of the validation split; where there are none, the last weights stay.
        objective: What is minimised.
        targets: The teacher's signals; None where it is not asked.
        settings: Budget and optimiser.
        seed: Seed of the row order and the dropout.
        padding: The padding token.
        description: Label of the progress bar.
        on_policy: The sampling of answers in a share of the batches; None where the student learns
            from reference answers alone.
    """

    model: Any
    rows: Sequence[Example]
    validation: Sequence[Example]
    objective: ObjectiveConfig
    targets: TargetSource | None
    settings: TrainingConfig
    seed: int
    padding: int
    description: str
    on_policy: OnPolicy | None = None


def fit(
    training: Training,
    folder: Path,
    on_evaluation: OnEvaluation | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> list[dict[str, float]]:
    """Train the model in place and return the history; as `train.train` does, but for the folder.

    Args:
        training: What is trained.
        folder: Where the checkpoints of this training are and go.
        on_evaluation: Function that `train` describes.
        callbacks: Callbacks that `train` describes.
    """
    model, settings, validation = training.model, training.settings, training.validation
    steps = planned_steps(training.rows, settings)
    arguments = training_arguments(folder, settings, steps, training.seed, bool(validation))
    with torch.random.fork_rng(), quiet_transformers(), _old_objects_left_alone():
        trainer = AnswerTrainer(
            model,
            arguments,
            rows=training.rows,
            validation=validation,
            objective=training.objective,
            targets=training.targets,
            precision=resolve_precision(settings.precision),
            padding=training.padding,
            sharded=settings.strategy == "fsdp",
            save_steps=settings.save_steps,
            on_policy=training.on_policy,
            on_evaluation=on_evaluation,
        )
        trainer.remove_callback(PrinterCallback)
        if trainer.is_world_process_zero():
            trainer.add_callback(ProgressBar(training.description))
        if validation and settings.patience:
            trainer.add_callback(EarlyStoppingCallback(settings.patience))
        for callback in callbacks:
            trainer.add_callback(callback)
        trainer.train_or_resume()
    if settings.gradient_checkpointing:
        model.activation_checkpointing_disable()
        model.disable_input_require_grads()
    model.eval()
    return history(trainer.state.log_history)


@contextmanager
def _old_objects_left_alone() -> Iterator[None]:
    """Keep the garbage collector from what was there before.

    accelerate collects all garbage when a training ends. Looking through every imported library
    took longer than a short training.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
