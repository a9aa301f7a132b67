"""The entry to training a language model on answer tokens, with or without a teacher."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from kd_kedro.models.causal_lm import check_length
from kd_kedro.models.encoding import Example
from kd_kedro.models.precision import resolve_precision
from kd_kedro.training.loop.checkpoints import (
    keep_finished,
    take_finished,
    training_fingerprint,
    training_folder,
)
from kd_kedro.training.loop.fit import Training, fit
from kd_kedro.training.loop.launch import launch
from kd_kedro.training.loop.on_policy import OnPolicy
from kd_kedro.training.loop.training_config import ObjectiveConfig, OnEvaluation, TrainingConfig
from kd_kedro.training.teacher.signals import TargetSource


def train(
    model: Any,
    rows: Sequence[Example],
    validation: Sequence[Example],
    *,
    objective: ObjectiveConfig,
    targets: TargetSource | None,
    settings: TrainingConfig,
    seed: int,
    padding: int,
    work_dir: Path,
    keeps: bool = False,
    description: str,
    on_policy: OnPolicy | None = None,
    on_evaluation: OnEvaluation | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> list[dict[str, float]]:
    """Train a model in place; it ends with the weights that were best on the validation rows.

    Args:
        model: A causal or encoder-decoder language model, or one with an adapter; weights that
            learn become float32.
        rows: Training rows.
        validation: Rows of the validation split; where there are none, the last weights stay.
        objective: What is minimised.
        targets: The teacher's signals; read only where the objective asks them.
        settings: Budget and optimiser.
        seed: Seed of the row order and the dropout.
        padding: The padding token.
        work_dir: Where checkpoints lie while it trains, in a folder named by the fingerprint of all
            that determines the result. A training that was killed goes on from the last one and
            ends with the weights and the history it would have had.
        keeps: Whether weights and history stay there when it has ended, for `several_trainings`.
        description: Label of the progress bar.
        on_policy: The sampling of answers in a share of the batches; None where the student learns
            from reference answers alone.
        on_evaluation: Told step and validation loss after each evaluation, those before a kill
            included; what it raises ends the training.
        callbacks: Told of every event of the loop, after those of this module.

    Returns:
        The history: `{step, loss, cross_entropy, divergence, hidden, learning_rate, grad_norm}`
        and `{step, validation_loss}`, per answer token in nats; parts that do not count are absent.

    Raises:
        ValueError: If the targets cannot serve the objective, or a checkpoint is none of ours.
    """
    if not rows:
        raise ValueError("there is no training row to learn from")
    for weight in model.parameters():  # as they were stored; steps are too small for 16 bits
        if weight.requires_grad and weight.dtype in (torch.bfloat16, torch.float16):
            weight.data = weight.data.float()
    targets = targets if objective.asks_teacher else None
    objective.check(targets)
    if on_policy is not None:
        objective.check(on_policy.teacher)
    if settings.processes > 1 and (on_evaluation or callbacks):
        raise ValueError(
            "training.num_processes: a training that is watched (tuning, plans) runs in one "
            "process; set it and training.num_nodes to 1"
        )
    asked = [source for source in (targets, on_policy and on_policy.teacher) if source]
    judges = [judge for source in asked for judge, _ in getattr(source, "models", ())]
    check_length([model, *judges], [*rows, *validation])
    determines = {
        "settings": settings.model_dump() | {"precision": resolve_precision(settings.precision)},
        "objective": objective.model_dump(),
        "targets": targets and targets.fingerprint,
        "on_policy": on_policy and on_policy.settings,
        "seed": seed,
        "padding": padding,
    }
    fingerprint = training_fingerprint(model, rows, validation, determines)
    training = Training(
        model, rows, validation, objective, targets, settings, seed, padding, description, on_policy
    )
    with training_folder(work_dir, fingerprint, keeps=keeps) as folder:
        finished = take_finished(folder, model)
        if finished is not None:
            model.eval()
            return finished
        if settings.processes > 1:
            history = launch(training, folder)
        else:
            history = fit(training, folder, on_evaluation, callbacks)
        if keeps:
            keep_finished(folder, model, history)
        return history
