"""The budget and the optimiser of a training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import TrainingArguments

from kd_kedro.models.encoding import Example

LOGS = 40  # points of a training curve


@dataclass(frozen=True)
class TrainingSettings:
    """The budget and the optimiser of one training.

    Attributes:
        learning_rate: Peak of the schedule.
        batch_size: Rows of one forward pass.
        accumulation: Forward passes of one step.
        epochs: Most passes over the rows.
        max_tokens: Most tokens read, prompts included; the training gets as many steps as that.
        max_steps: Most optimiser steps; 0 for no bound of its own.
        warmup: Share of the steps in which the learning rate rises.
        schedule: `cosine`, `linear` or `constant_with_warmup`.
        weight_decay: Of AdamW.
        max_grad_norm: Gradients are clipped to this norm.
        evaluations: How often the validation rows are scored, evenly spread.
        patience: Evaluations without improvement before the training stops; 0 to never stop.
        precision: `auto`, `bf16` or `fp32` of the matrix products; weights stay float32.
        checkpoint_steps: Most optimiser steps that a kill can cost; 0 for those between two
            evaluations, after each of which there is a checkpoint in any case.
        gradient_checkpointing: Keep no activations within a block, compute them again.
        num_processes: Processes on this machine; each has its share of every batch.
        strategy: `ddp`, each process has all weights, or `fsdp`, each has a share of them.
        nodes: Machines that train together, each with as many processes.
        rendezvous: host:port of one of them, where they meet.
    """

    learning_rate: float
    batch_size: int
    accumulation: int
    epochs: float
    max_tokens: int
    max_steps: int
    warmup: float
    schedule: str
    weight_decay: float
    max_grad_norm: float
    evaluations: int
    patience: int
    precision: str
    checkpoint_steps: int = 0
    gradient_checkpointing: bool = False
    num_processes: int = 1
    strategy: str = "ddp"
    nodes: int = 1
    rendezvous: str = ""

    @property
    def processes(self) -> int:
        """Processes on all machines."""
        return self.num_processes * self.nodes


def planned_steps(rows: Sequence[Example], settings: TrainingSettings) -> int:
    """Return how many optimiser steps the budget gives, at least one."""
    batch = settings.batch_size * settings.accumulation
    mean_tokens = sum(len(row.input_ids) for row in rows) / len(rows)
    bounds = [
        math.ceil(settings.epochs * len(rows) / batch),
        math.ceil(settings.max_tokens / (mean_tokens * batch)),
    ]
    if settings.max_steps:
        bounds.append(settings.max_steps)
    return max(1, min(bounds))


def training_arguments(
    folder: Path, settings: TrainingSettings, steps: int, seed: int, validates: bool
) -> TrainingArguments:
    """Return the settings in the words of `transformers`.

    Args:
        folder: Where checkpoints go.
        settings: Budget and optimiser.
        steps: What `planned_steps` says.
        seed: Of the row order and the dropout.
        validates: Whether there are validation rows.
    """
    every = max(1, steps // settings.evaluations)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=math.ceil(settings.warmup * steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch_fused",
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        logging_steps=max(1, steps // LOGS),
        logging_nan_inf_filter=False,  # it would write 0.0 for a loss that is no number
        eval_strategy="steps" if validates else "no",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        load_best_model_at_end=validates,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        seed=seed,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        restore_callback_states_from_checkpoint=True,  # the patience that is left
        save_on_each_node=True,  # machines need not share a disk
        # Where there is no GPU, accelerate joins several processes only if told of it.
        use_cpu=settings.processes > 1 and not torch.cuda.is_available(),
    )
    # One process trains on one device. With more GPUs Trainer would wrap the model in DataParallel,
    # whose head and hidden states cannot be had apart, and multiply the batch by their number.
    arguments._n_gpu = 1
    return arguments
