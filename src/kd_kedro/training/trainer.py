"""Training a causal language model on answer tokens, with or without a teacher.

`transformers.Trainer` does the loop, the schedule, accumulation, clipping and checkpoints; this
module gives it the objective, the row order, an exact validation loss and a quiet console.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from kd_kedro.training.answering import answer_states, decoder_start, evaluating
from kd_kedro.training.console import quiet_transformers
from kd_kedro.training.disk import writing
from kd_kedro.training.examples import Batch, Example, batches_by_length, collate
from kd_kedro.training.fingerprints import settings_fingerprint
from kd_kedro.training.learner import Learner
from kd_kedro.training.objective import AnswerLoss, Objective, answer_loss
from kd_kedro.training.precision import autocast, resolve_precision
from kd_kedro.training.progress import ProgressBar
from kd_kedro.training.sampling import LengthGroupedSampler
from kd_kedro.training.targets import TargetSource

WEIGHTS = "learned.safetensors"  # in a checkpoint: what training changes, the projection too
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


def train(
    model: Any,
    rows: Sequence[Example],
    validation: Sequence[Example],
    *,
    objective: Objective,
    targets: TargetSource | None,
    settings: TrainingSettings,
    seed: int,
    padding: int,
    work_dir: Path,
    description: str,
    on_evaluation: Callable[[int, float], None] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> list[dict[str, float]]:
    """Train a model in place; it ends with the weights that were best on the validation rows.

    Args:
        model: A causal language model in float32.
        rows: Training rows.
        validation: Rows of the validation split; where there are none, the last weights stay.
        objective: What is minimised.
        targets: The teacher's signals; None where `objective.beta` is 0.
        settings: Budget and optimiser.
        seed: Of the row order and the dropout.
        padding: The padding token.
        work_dir: Where checkpoints lie while it trains.
        description: Label of the progress bar.
        on_evaluation: Told step and validation loss after each evaluation; what it raises ends
            the training.
        callbacks: Told of every event of the loop, after those of this module.

    Returns:
        The history: `{step, loss, cross_entropy, divergence, hidden, learning_rate, grad_norm}`
        and `{step, validation_loss}`, per answer token in nats; parts that do not count are absent.

    Raises:
        ValueError: If the targets cannot serve the objective.
    """
    objective.check(targets)
    steps = planned_steps(rows, settings)
    label = settings_fingerprint(
        {**asdict(settings), **asdict(objective), "seed": seed, "rows": [r.row_id for r in rows]}
    )
    folder = work_dir / f"{description.replace(' ', '-')}-{label}"
    shutil.rmtree(folder, ignore_errors=True)
    arguments = _arguments(folder, settings, steps, seed, bool(validation))
    listeners: list[TrainerCallback] = [ProgressBar(description)]
    if validation and settings.patience:
        listeners.append(EarlyStoppingCallback(settings.patience))
    with torch.random.fork_rng(), quiet_transformers():
        trainer = AnswerTrainer(
            model,
            arguments,
            rows=rows,
            validation=validation,
            objective=objective,
            targets=targets if objective.asks_teacher else None,
            precision=resolve_precision(settings.precision),
            padding=padding,
            on_evaluation=on_evaluation,
            callbacks=[*listeners, *callbacks],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    model.eval()
    shutil.rmtree(folder, ignore_errors=True)
    return _history(trainer.state.log_history)


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


class AnswerTrainer(Trainer):  # type: ignore[misc]
    """`Trainer` with the loss over answer tokens of the whole accumulated batch."""

    def __init__(
        self,
        model: Any,
        args: TrainingArguments,
        *,
        rows: Sequence[Example],
        validation: Sequence[Example],
        objective: Objective,
        targets: TargetSource | None,
        precision: str,
        padding: int,
        on_evaluation: Callable[[int, float], None] | None = None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        width = targets.hidden_width if targets is not None else None
        start = decoder_start(model)
        super().__init__(
            model=Learner(model, objective, width, args.seed),
            args=args,
            train_dataset=list(rows),
            eval_dataset=list(validation),
            data_collator=lambda examples: _inputs(collate(examples, padding, start)),
            callbacks=list(callbacks),
        )
        # Trainer then counts the labels of all accumulated batches and hands us the number; the
        # loss below is divided by it, so Trainer must not divide by the accumulation steps too.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        self._student = model
        self._objective = objective
        self._targets = targets
        self._precision = precision
        self._padding = padding
        self._on_evaluation = on_evaluation
        self._parts = torch.zeros(4, dtype=torch.float64)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """Return this batch's share of the mean loss over the accumulated batch."""
        batch = inputs["batch"]
        signal = (
            None
            if self._targets is None
            else self._targets.signal(batch, self._objective.temperature)
        )
        with autocast(self._precision, batch.input_ids.device):
            loss: AnswerLoss = model(batch, signal)
        parts = [loss.cross_entropy, loss.divergence, loss.hidden]
        self._parts[:3] += torch.stack([part.double() for part in parts]).cpu()
        self._parts[3] += len(batch.answers)
        mean: torch.Tensor = loss.total / num_items_in_batch
        return mean

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score the validation rows: mean cross-entropy per answer token, over all of them."""
        loss = mean_cross_entropy(self._student, self.eval_dataset, self._padding, self._precision)
        metrics = {"eval_loss": loss}
        self.log(metrics)
        if self._on_evaluation is not None:
            self._on_evaluation(self.state.global_step, loss)
        self.control: Any = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the parts of the loss to what Trainer logs."""
        *parts, tokens = self._parts.tolist()
        goal = self._objective
        if "loss" in logs and tokens:
            weights = {"cross_entropy": goal.alpha, "divergence": goal.beta, "hidden": goal.hidden}
            for (name, weight), part in zip(weights.items(), parts, strict=True):
                if weight:
                    logs[name] = part / tokens
            self._parts.zero_()
        super().log(logs, start_time)

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroupedSampler:
        rows = self.train_dataset if train_dataset is None else train_dataset
        lengths = [len(row.input_ids) for row in rows]
        return LengthGroupedSampler(lengths, self.args.train_batch_size, self.args.seed)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # Trainer's own adds a pickle of its arguments; nothing here needs one.
        from safetensors.torch import save_file

        folder = Path(output_dir or self.args.output_dir)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            learned = {name: weight.detach() for name, weight in _learned(self.model)}
            save_file(learned, folder / WEIGHTS)

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        from safetensors.torch import load_file

        saved = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        with torch.no_grad():
            for name, weight in _learned(self.model):
                weight.copy_(saved[name])


def _learned(model: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Return the weights that training changes, tied ones once."""
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def mean_cross_entropy(
    model: Any, rows: Sequence[Example], padding: int, precision: str, batch_size: int = 64
) -> float:
    """Return the mean cross-entropy per answer token over all rows, in nats."""
    total, tokens, start = 0.0, 0, decoder_start(model)
    with evaluating(model), autocast(precision, model.device):
        for chosen in batches_by_length([len(row.input_ids) for row in rows], batch_size):
            batch = collate([rows[index] for index in chosen], padding, start).to(model.device)
            states, head = answer_states(model, batch), model.get_output_embeddings()
            loss = answer_loss(Objective(), states, head, batch.answers, None)
            total += loss.cross_entropy.item()
            tokens += len(batch.answers)
    return total / tokens


def _inputs(batch: Batch) -> dict[str, Any]:
    # Trainer counts `shift_labels` as they are, and looks for `labels` before it counts at all.
    return {"labels": batch.labels, "shift_labels": batch.labels, "batch": batch}


def _arguments(
    folder: Path, settings: TrainingSettings, steps: int, seed: int, validates: bool
) -> TrainingArguments:
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
        logging_steps=max(1, steps // LOGS),
        eval_strategy="steps" if validates else "no",
        eval_steps=every,
        save_strategy="best" if validates else "no",
        save_only_model=True,
        save_total_limit=1,
        load_best_model_at_end=validates,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        seed=seed,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    # One process trains on one device. With more GPUs Trainer would wrap the model in DataParallel,
    # whose head and hidden states cannot be had apart, and multiply the batch by their number.
    arguments._n_gpu = 1
    return arguments


def _history(logged: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    names = {
        "loss": "loss",
        "cross_entropy": "cross_entropy",
        "divergence": "divergence",
        "hidden": "hidden",
        "learning_rate": "learning_rate",
        "grad_norm": "grad_norm",
        "eval_loss": "validation_loss",
    }
    records = []
    for entry in logged:
        values = {new: float(entry[old]) for old, new in names.items() if old in entry}
        if values:
            records.append({"step": int(entry["step"]), **values})
    return records
