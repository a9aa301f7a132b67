"""`transformers.Trainer` with the objective of answer tokens, its row order and its checkpoints.

Trainer does the loop, the schedule, accumulation, clipping and checkpoints; this module gives it
the loss over the whole accumulated batch, an exact validation loss and a quiet console.
"""

import json
import math
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerState

from kd_kedro.models.encoding import Batch, Example, collate
from kd_kedro.models.modes import decoder_start
from kd_kedro.models.precision import autocast
from kd_kedro.storage.atomic import writing
from kd_kedro.training.loop.checkpoints import checkpoint_at, complete, keep_only
from kd_kedro.training.loop.distillation_module import (
    DistillationModule,
    load_learned,
    save_learned,
)
from kd_kedro.training.loop.objective import AnswerLoss
from kd_kedro.training.loop.on_policy import OnPolicy
from kd_kedro.training.loop.sampling import LengthGroupedSampler, RankBatches, RowLoader
from kd_kedro.training.loop.sharding import (
    agreed,
    shard,
    share_optimizer_state,
    whole_optimizer_state,
)
from kd_kedro.training.loop.training_config import ObjectiveConfig
from kd_kedro.training.loop.validation_loss import nothing, summed_cross_entropy
from kd_kedro.training.teacher.signals import TargetSource

PROGRESS = "progress_{}.json"  # in a checkpoint, of a process: its losses not yet logged


class AnswerTrainer(Trainer):  # type: ignore[misc]
    """`Trainer` with the loss over answer tokens of the whole accumulated batch."""

    def __init__(
        self,
        model: Any,
        args: TrainingArguments,
        *,
        rows: Sequence[Example],
        validation: Sequence[Example],
        objective: ObjectiveConfig,
        targets: TargetSource | None,
        precision: str,
        padding: int,
        sharded: bool = False,
        save_steps: int = 0,
        on_policy: OnPolicy | None = None,
        on_evaluation: Callable[[int, float], None] | None = None,
    ) -> None:
        width = targets.hidden_width if targets is not None else None
        start = decoder_start(model)
        self._sharded = sharded
        super().__init__(
            model=DistillationModule(model, objective, width, args.seed),
            args=args,
            train_dataset=list(rows),
            eval_dataset=list(validation),
            data_collator=lambda examples: _inputs(
                collate(examples or [nothing(padding)], padding, start)
            ),
            callbacks=[_Checkpointing(self, save_steps)],
        )
        # Trainer then counts the labels of all accumulated batches and hands us the number; the
        # loss below is divided by it, so Trainer must not divide by the accumulation steps too.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        if sharded:
            shard(self.model, args.device)
            # Trainer then neither moves nor wraps it.
            self.is_distributed_loading_by_transformers = True
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
        checkpoint = agreed(folder)
        # Each process drops out other units; one alone draws what Trainer has seeded.
        if self.args.process_index:
            torch.manual_seed(self.args.seed + 1_000_003 * self.args.process_index)
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
        if not all(bool(weight.isfinite().all()) for weight in self.model.parameters()):
            raise _diverged(self.state.global_step)

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
        # Over processes gradients are averaged, and what is wanted is their sum.
        mean: torch.Tensor = loss.total * self.args.world_size / num_items_in_batch
        return mean

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score the validation rows: mean cross-entropy per answer token, over all of them."""
        args, padding, precision = self.args, self._padding, self._precision
        sums = summed_cross_entropy(
            self.model,
            self.eval_dataset,
            padding,
            precision,
            rank=args.process_index,
            ranks=args.world_size,
        )
        if self._sharded:
            self.model.reshard()  # evaluation leaves the root's weights gathered
        total, tokens = self._over_processes(sums).tolist()
        loss = total / tokens
        metrics = {"eval_loss": loss}
        self.log(metrics)
        self._tell(self.state.global_step, loss)
        if not math.isfinite(loss):
            raise _diverged(self.state.global_step)
        self.control: Any = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the parts of the loss to what Trainer logs."""
        goal = self._objective
        if "loss" in logs:
            *parts, tokens, written = self._over_processes(self._parts).tolist()
            weights = {
                "cross_entropy": goal.alpha,
                "divergence": goal.beta,
                "hidden": goal.hidden_state_weight,
            }
            for (name, weight), part in zip(weights.items(), parts, strict=True):
                # Sampled answers have no cross-entropy: theirs is a mean over the written ones.
                if weight and (counted := written if name == "cross_entropy" else tokens):
                    logs[name] = part / counted
            self._parts.zero_()
        super().log(logs, start_time)

    def _over_processes(self, sums: torch.Tensor) -> torch.Tensor:
        if self.args.world_size == 1:
            return sums
        whole: torch.Tensor = self.accelerator.reduce(sums.to(self.args.device), "sum")
        return whole

    def get_train_dataloader(self) -> RowLoader:
        """Return the batches of this process: its share of every batch of all processes."""
        rows, args = self.train_dataset, self.args
        order = LengthGroupedSampler(
            [len(row.input_ids) for row in rows], args.train_batch_size, args.seed
        )
        batches = RankBatches(order, args.train_batch_size, args.process_index, args.world_size)
        return RowLoader(rows, batch_sampler=batches, collate_fn=self.data_collator)

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
                batches[number] = _inputs(policy.sample(self.model.model, inputs["batch"], *own))
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
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            complete(checkpoint)
        # Before anybody removes the one before, everybody has this one.
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            best = self.state.best_model_checkpoint
            keep_only([checkpoint, *([Path(best)] if best else [])])

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
        save_learned(self.model, Path(output_dir or self.args.output_dir), self.args.should_save)

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_learned(self.model, Path(resume_from_checkpoint))

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self._sharded:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        whole = whole_optimizer_state(self.model, self.optimizer)
        if self.args.should_save:
            torch.save(whole, Path(output_dir) / "optimizer.pt")
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / "scheduler.pt")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if not self._sharded or checkpoint is None:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        parts = [
            torch.load(Path(checkpoint) / name, map_location="cpu", weights_only=True)
            for name in ("optimizer.pt", "scheduler.pt")
        ]
        share_optimizer_state(self.model, self.optimizer, parts[0])
        self.lr_scheduler.load_state_dict(parts[1])

    def _move_model_to_device(self, model: Any, device: torch.device) -> None:
        if not self._sharded:  # else each shard goes to its own, and no device has the whole
            super()._move_model_to_device(model, device)

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        return norm.full_tensor() if self._sharded else norm

    @contextmanager
    def _defer_fsdp_gradient_reduction(self) -> Iterator[None]:
        self.model.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            self.model.set_requires_gradient_sync(True)


class _CallerError(Exception):
    """What `on_evaluation` raised: this training is over, and nobody will go on with it."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


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


def _diverged(step: int) -> ValueError:
    return ValueError(
        f"training.learning_rate: by step {step} the loss was no number any more; lower it, or "
        "max_grad_norm"
    )


def _has_ended(checkpoint: Path) -> bool:
    state = TrainerState.load_from_json(checkpoint / "trainer_state.json")
    return bool(state.stateful_callbacks["TrainerControl"]["args"]["should_training_stop"])


def _inputs(batch: Batch) -> dict[str, Any]:
    # Trainer counts `shift_labels` as they are, and looks for `labels` before it counts at all.
    return {"labels": batch.labels, "shift_labels": batch.labels, "batch": batch}
