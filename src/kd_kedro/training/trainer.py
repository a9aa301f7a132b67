"""Training a language model on answer tokens, with or without a teacher.

`transformers.Trainer` does the loop, the schedule, accumulation, clipping and checkpoints; this
module gives it the objective, the row order, an exact validation loss and a quiet console.
"""

import json
import pickle
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, TrainerState

from kd_kedro.training.answering import answer_states, decoder_start, evaluating
from kd_kedro.training.checkpoints import (
    checkpoint_at,
    complete,
    last_checkpoint,
    training_fingerprint,
    training_folder,
)
from kd_kedro.training.console import quiet_transformers
from kd_kedro.training.disk import writing
from kd_kedro.training.examples import Batch, Example, batches_by_length, collate
from kd_kedro.training.learner import Learner
from kd_kedro.training.objective import AnswerLoss, Objective, answer_loss
from kd_kedro.training.on_policy import OnPolicy
from kd_kedro.training.precision import autocast, resolve_precision
from kd_kedro.training.progress import ProgressBar
from kd_kedro.training.sampling import LengthGroupedSampler, RankBatches
from kd_kedro.training.settings import TrainingSettings, planned_steps, training_arguments
from kd_kedro.training.targets import TargetSource

__all__ = ["AnswerTrainer", "TrainingSettings", "mean_cross_entropy", "planned_steps", "train"]

WEIGHTS = "learned.safetensors"  # in a checkpoint: what training changes, the projection too
PROGRESS = "progress_{}.json"  # in a checkpoint, of a process: its losses not yet logged


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
    on_policy: OnPolicy | None = None,
    on_evaluation: Callable[[int, float], None] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> list[dict[str, float]]:
    """Train a model in place; it ends with the weights that were best on the validation rows.

    Args:
        model: A causal or encoder-decoder language model in float32, or one with an adapter.
        rows: Training rows.
        validation: Rows of the validation split; where there are none, the last weights stay.
        objective: What is minimised.
        targets: The teacher's signals; None where `objective.beta` is 0.
        settings: Budget and optimiser.
        seed: Of the row order and the dropout.
        padding: The padding token.
        work_dir: Where checkpoints lie while it trains, in a folder named by the fingerprint of all
            that determines the result. A training that was killed goes on from the last one and
            ends with the weights and the history it would have had.
        description: Label of the progress bar.
        on_policy: How the student samples answers in a share of the batches; None for written ones
            alone.
        on_evaluation: Told step and validation loss after each evaluation, those before a kill
            included; what it raises ends the training.
        callbacks: Told of every event of the loop, after those of this module.

    Returns:
        The history: `{step, loss, cross_entropy, divergence, hidden, learning_rate, grad_norm}`
        and `{step, validation_loss}`, per answer token in nats; parts that do not count are absent.

    Raises:
        ValueError: If the targets cannot serve the objective, or a checkpoint is none of ours.
    """
    objective.check(targets)
    if on_policy is not None:
        objective.check(on_policy.teacher)
    determines = {
        "settings": asdict(settings) | {"precision": resolve_precision(settings.precision)},
        "objective": asdict(objective),
        "targets": targets.fingerprint if targets and objective.asks_teacher else None,
        "on_policy": on_policy and on_policy.settings,
        "seed": seed,
        "padding": padding,
    }
    fingerprint = training_fingerprint(model, rows, validation, determines)
    with training_folder(work_dir, fingerprint) as folder:
        listeners: list[TrainerCallback] = [ProgressBar(description)]
        if validation and settings.patience:
            listeners.append(EarlyStoppingCallback(settings.patience))
        steps = planned_steps(rows, settings)
        with torch.random.fork_rng(), quiet_transformers():
            trainer = AnswerTrainer(
                model,
                training_arguments(folder, settings, steps, seed, bool(validation)),
                rows=rows,
                validation=validation,
                objective=objective,
                targets=targets if objective.asks_teacher else None,
                precision=resolve_precision(settings.precision),
                padding=padding,
                checkpoint_steps=settings.checkpoint_steps,
                on_policy=on_policy,
                on_evaluation=on_evaluation,
                callbacks=[*listeners, *callbacks],
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train_or_resume()
    if settings.gradient_checkpointing:
        model.activation_checkpointing_disable()
        model.disable_input_require_grads()
    model.eval()
    return _history(trainer.state.log_history)


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
        checkpoint_steps: int = 0,
        on_policy: OnPolicy | None = None,
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
            data_collator=lambda examples: _inputs(
                collate(examples or [Example("", (padding,), 1)], padding, start)
            ),
            callbacks=[*callbacks, _Checkpointing(self, checkpoint_steps)],
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
        self._on_policy = on_policy
        self._on_evaluation = on_evaluation
        self._parts = torch.zeros(5, dtype=torch.float64)  # three sums, tokens, written tokens
        self._resumed_from: Path | None = None
        self._random_state_is_due = False

    def train_or_resume(self) -> None:
        """Train, from the last whole checkpoint in the output folder where there is one.

        Raises:
            ValueError: If a checkpoint holds what is neither a tensor nor a plain value.
        """
        folder = Path(self.args.output_dir)
        checkpoint = last_checkpoint(folder)
        self._resumed_from = checkpoint
        self._random_state_is_due = checkpoint is not None
        try:
            if checkpoint is not None and _has_ended(checkpoint):
                self._take_result(checkpoint)
            else:
                self.train(resume_from_checkpoint=checkpoint and str(checkpoint))
        except pickle.UnpicklingError as error:  # torch.load(weights_only=True) refuses objects
            raise ValueError(
                f"{checkpoint}: this checkpoint holds more than tensors and numbers, which no "
                f"training here wrote; delete {folder} and run again"
            ) from error
        except _CallerError as ended:
            shutil.rmtree(folder, ignore_errors=True)
            raise ended.reason from None

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """Return this batch's share of the mean loss over the accumulated batch."""
        batch = inputs["batch"].to(self.args.device)
        source = self._targets
        if self._on_policy is not None and not batch.written:
            source = self._on_policy.teacher
        signal = None if source is None else source.signal(batch, self._objective.temperature)
        with autocast(self._precision, batch.input_ids.device):
            loss: AnswerLoss = model(batch, signal)
        parts = [loss.cross_entropy, loss.divergence, loss.hidden]
        self._parts[:3] += torch.stack([part.double() for part in parts]).cpu()
        self._parts[3] += len(batch.answers)
        self._parts[4] += len(batch.answers) * batch.written
        mean: torch.Tensor = loss.total / num_items_in_batch
        return mean

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score the validation rows: mean cross-entropy per answer token, over all of them."""
        loss = mean_cross_entropy(self._student, self.eval_dataset, self._padding, self._precision)
        metrics = {"eval_loss": loss}
        self.log(metrics)
        self._tell(self.state.global_step, loss)
        self.control: Any = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the parts of the loss to what Trainer logs."""
        *parts, tokens, written = self._parts.tolist()
        goal = self._objective
        if "loss" in logs and tokens:
            weights = {"cross_entropy": goal.alpha, "divergence": goal.beta, "hidden": goal.hidden}
            for (name, weight), part in zip(weights.items(), parts, strict=True):
                # Sampled answers have no cross-entropy: theirs is a mean over the written ones.
                if weight and (counted := written if name == "cross_entropy" else tokens):
                    logs[name] = part / counted
            self._parts.zero_()
        super().log(logs, start_time)

    def get_train_dataloader(self) -> "_RowLoader":
        """Return the batches of this process: its share of every batch of all processes."""
        rows, args = self.train_dataset, self.args
        order = LengthGroupedSampler(
            [len(row.input_ids) for row in rows], args.train_batch_size, args.seed
        )
        batches = RankBatches(order, args.train_batch_size, args.process_index, args.world_size)
        return _RowLoader(rows, batch_sampler=batches, collate_fn=self.data_collator)

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next accumulated batch, with the random state it had before a kill."""
        # Trainer restores it only after this call, too late for one that draws.
        self._load_rng_state(self._resumed_from)
        batches, count = super().get_batch_samples(*args, **kwargs)
        policy = self._on_policy
        if policy is None:
            return batches, count
        for number, inputs in enumerate(batches):
            place = (self.args.seed, self.state.global_step, number)
            if policy.chooses(*place):
                own = (*place, self.args.process_index)
                batches[number] = _inputs(policy.sample(self._student, inputs["batch"], *own))
        # The answers are counted anew: those of all accumulated batches share one mean.
        return batches, self._get_num_items_in_batch(batches, self.args.device)

    def _load_rng_state(self, checkpoint: Any) -> None:
        if self._random_state_is_due:
            super()._load_rng_state(checkpoint)
            self._random_state_is_due = False

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        checkpoint = checkpoint_at(Path(self.args.output_dir), self.state.global_step)
        with writing(checkpoint):
            super()._save_checkpoint(model, trial)
            progress = {
                "loss": self._tr_loss.item(),
                "logged": self._globalstep_last_logged,
                "parts": self._parts.tolist(),
            }
            self._progress(checkpoint).write_text(json.dumps(progress), encoding="ascii")
        best = self.state.best_model_checkpoint
        complete(checkpoint, keep=[Path(best)] if best else [])

    def restore_progress(self) -> None:
        """Take up what Trainer forgets: the losses not yet logged, and where the best weights lie.

        The caller's `on_evaluation` hears of the evaluations before the kill.
        """
        if self._resumed_from is None:
            return
        kept = json.loads(self._progress(self._resumed_from).read_text(encoding="ascii"))
        self._tr_loss += kept["loss"]
        self._globalstep_last_logged = kept["logged"]
        self._parts += torch.tensor(kept["parts"], dtype=torch.float64)
        if self.state.best_global_step:  # the work directory may lie elsewhere now
            best = checkpoint_at(self._resumed_from.parent, self.state.best_global_step)
            self.state.best_model_checkpoint = str(best)
        for entry in self.state.log_history:
            if "eval_loss" in entry:
                self._tell(entry["step"], entry["eval_loss"])

    def _progress(self, checkpoint: Path) -> Path:
        return checkpoint / PROGRESS.format(self.args.process_index)

    def _take_result(self, checkpoint: Path) -> None:
        self.state = TrainerState.load_from_json(checkpoint / "trainer_state.json")
        best = self.state.best_global_step
        self._load_from_checkpoint(
            str(checkpoint_at(checkpoint.parent, best) if best else checkpoint)
        )
        for entry in self.state.log_history:
            if "eval_loss" in entry:
                self._tell(entry["step"], entry["eval_loss"])

    def _tell(self, step: int, loss: float) -> None:
        if self._on_evaluation is None:
            return
        try:
            self._on_evaluation(step, loss)
        except Exception as reason:
            raise _CallerError(reason) from reason

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


class _CallerError(Exception):
    """What `on_evaluation` raised: this training is over, and nobody will go on with it."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _RowLoader(DataLoader[Example]):
    """A loader that Trainer can tell the epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]


class _Checkpointing(TrainerCallback):  # type: ignore[misc]
    """Checkpoints between evaluations, and what a resumed training takes up from one."""

    def __init__(self, trainer: AnswerTrainer, steps: int) -> None:
        self._trainer = trainer
        self._steps = steps

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._trainer.restore_progress()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._steps and state.global_step % self._steps == 0:
            control.should_save = True


def _has_ended(checkpoint: Path) -> bool:
    state = TrainerState.load_from_json(checkpoint / "trainer_state.json")
    return bool(state.stateful_callbacks["TrainerControl"]["args"]["should_training_stop"])


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
