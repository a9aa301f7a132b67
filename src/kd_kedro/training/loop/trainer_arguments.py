"""The settings of a training as `transformers.Trainer` takes them."""

import math
from pathlib import Path

import torch
from transformers import TrainingArguments

from kd_kedro.training.loop.training_config import TrainingConfig

LOGS = 40  # points of a training curve


def training_arguments(
    folder: Path, config: TrainingConfig, steps: int, seed: int, validates: bool
) -> TrainingArguments:
    """Return the settings as `transformers` names them.

    Args:
        folder: Folder of the checkpoints.
        config: Budget and optimiser.
        steps: The number of steps that `planned_steps` gives.
        seed: Seed of the row order and the dropout.
        validates: Whether there are validation rows.
    """
    every = max(1, steps // config.num_evaluations)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=math.ceil(config.warmup_ratio * steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch_fused",
        activation_checkpointing=config.gradient_checkpointing,
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
        use_cpu=config.processes > 1 and not torch.cuda.is_available(),
    )
    # One process trains on one device. With more GPUs Trainer would wrap the model in DataParallel,
    # whose head and hidden states cannot be had apart, and multiply the batch by their number.
    arguments._n_gpu = 1
    return arguments
