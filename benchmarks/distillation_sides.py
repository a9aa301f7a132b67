"""The sides of the distillation benchmark, each a `transformers.Trainer` with its own loss.

Every step below is the trainer's own: its collator, its `training_step` (forward, backward), its
clipping, its AdamW, all with the settings that are fastest on this machine.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate.utils import send_to_device
from distillation_workload import Size, new_gpt2

from kd_kedro.models.encoding import Example

LEARNING_RATE = 1e-4
PARAMETERS = Path(__file__).parents[1] / "conf/base/distillation/parameters.yml"


class Side:
    """A trainer whose steps can be taken one by one, in any order of sides."""

    def __init__(self, trainer: Any, order: Sequence[int], batch_size: int) -> None:
        self._trainer = trainer
        self._rows = list(trainer.train_dataset)
        self._order = list(order)
        self._batch_size = batch_size
        optimizer = trainer.create_optimizer()
        self._model, self._optimizer = trainer.accelerator.prepare(trainer.model, optimizer)
        trainer.optimizer = self._optimizer

    def grouped_by_length(self) -> "Side":
        """Return the same trainer with batches of like lengths, as transformers makes them."""
        self._trainer.args.train_sampling_strategy = "group_by_length"
        grouped = copy(self)
        grouped._order = list(self._trainer._get_train_sampler())
        return grouped

    def batches(self) -> Iterator[list[Any]]:
        """Yield the rows of an epoch's batches."""
        for start in range(0, len(self._order), self._batch_size):
            yield [self._rows[row] for row in self._order[start : start + self._batch_size]]

    def step(self, rows: list[Any]) -> None:
        """Learn from one batch: collate, forward, backward, clip, AdamW."""
        inputs, tokens = self._collated(rows)
        self._trainer.training_step(self._model, inputs, tokens)
        self._trainer.accelerator.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def loss(self, rows: list[Any]) -> float:
        """Return the loss of one batch, per answer token."""
        inputs, tokens = self._collated(rows)
        inputs = self._trainer._prepare_inputs(inputs)
        with torch.no_grad():
            return float(self._trainer.compute_loss(self._model, inputs, num_items_in_batch=tokens))

    def _collated(self, rows: list[Any]) -> tuple[dict[str, Any], Any]:
        device = self._trainer.args.device
        inputs = send_to_device(self._trainer.data_collator(rows), device)
        (inputs,), tokens = self._trainer.get_batch_samples(iter([inputs]), 1, device)
        return inputs, tokens


def ours(size: Size, examples: Sequence[Example], tokenizer: Any, work: Path, targets: Any) -> Any:
    """Return our trainer: the divergence alone where there are targets, else the text alone."""
    from transformers import TrainingArguments

    from kd_kedro.models.encoding import pad_token_id
    from kd_kedro.training.loop.hf_trainer import AnswerTrainer
    from kd_kedro.training.loop.training_config import ObjectiveConfig

    objective = ObjectiveConfig(alpha=1.0, beta=0.0)
    if targets is not None:
        full = "forward_kl" in targets.serves
        divergence = "forward_kl" if full else "bucketed_forward_kl"
        objective = ObjectiveConfig(alpha=0.0, beta=1.0, divergence=divergence, temperature=1.0)
    objective.check(targets)
    # Our trainer puts its own forward pass into bf16.
    arguments = _arguments(work, size) | {"bf16": False, "remove_unused_columns": False}
    return AnswerTrainer(
        student(size),
        TrainingArguments(**arguments),
        rows=examples,
        validation=[],
        objective=objective,
        targets=targets,
        precision=_precision(),
        padding=pad_token_id(tokenizer),
    )


def captured(
    size: Size, examples: Sequence[Example], teacher: Any, store: Path, **other: Any
) -> dict[str, Any]:
    """Capture targets as `kedro run` does with conf/base, but for `other`; return the manifest."""
    from kd_kedro.training.teacher.capture import capture
    from kd_kedro.training.teacher.capture_config import CaptureConfig

    text = PARAMETERS.read_text(encoding="utf-8")
    defaults = yaml.safe_load(text)["distillation"].get("targets", {})
    given = {"precision": _precision(), "batch_size": size.batch_size}
    settings = CaptureConfig(**(defaults | given | other))
    return capture([(teacher, 1.0)], examples, {}, store, settings)


def opened(manifest: Mapping[str, Any], store: Path) -> Any:
    """Return captured targets, as a training opens them."""
    from kd_kedro.training.teacher.store import open_targets

    return open_targets(manifest, store, {})


def live(teacher: Any) -> Any:
    """Return the teacher itself as targets."""
    from kd_kedro.training.teacher.signals import LiveTeacher

    return LiveTeacher(teacher.model, len(teacher.tokenizer), "", precision=_precision())


def gkd(size: Size, examples: Sequence[Example], teacher: Any, work: Path) -> Any:
    """Return TRL's GKDTrainer, off-policy, with forward KL."""
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    config = GKDConfig(lmbda=0.0, beta=0.0, max_length=size.max_length, **_arguments(work, size))
    return GKDTrainer(
        model=student(size),
        teacher_model=teacher.model,
        args=config,
        train_dataset=_dataset(examples),
        processing_class=teacher.tokenizer,
    )


def sft(size: Size, examples: Sequence[Example], tokenizer: Any, work: Path) -> Any:
    """Return TRL's SFTTrainer, on answers only; its default loss is fused and chunked."""
    from trl import SFTConfig, SFTTrainer

    config = SFTConfig(
        max_length=size.max_length,
        dataset_kwargs={"skip_prepare_dataset": True},
        **_arguments(work, size),
    )
    return SFTTrainer(
        model=student(size),
        args=config,
        train_dataset=_dataset(examples),
        processing_class=tokenizer,
    )


def transformers(size: Size, examples: Sequence[Example], tokenizer: Any, work: Path) -> Any:
    """Return transformers' own Trainer, which makes all logits: on a CPU faster than TRL's."""
    from transformers import Trainer, TrainingArguments
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    arguments = _arguments(work, size) | {"remove_unused_columns": False}
    return Trainer(
        student(size),
        TrainingArguments(**arguments),
        train_dataset=_dataset(examples),
        data_collator=DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id),
        processing_class=tokenizer,
    )


def student(size: Size) -> Any:
    """Return the student that every side begins with."""
    return new_gpt2(size.student, size, seed=1)


def _dataset(examples: Sequence[Example]) -> Any:
    from datasets import Dataset

    return Dataset.from_list(
        [
            {
                "prompt": "",
                "input_ids": list(row.input_ids),
                "completion_mask": [0] * row.answer_start + [1] * row.answer_tokens,
                "labels": [-100] * row.answer_start + list(row.input_ids[row.answer_start :]),
            }
            for row in examples
        ]
    )


def _arguments(work: Path, size: Size) -> dict[str, Any]:
    """Return the settings both rivals share: the fastest that give this training."""
    return {
        "output_dir": str(work),
        "per_device_train_batch_size": size.batch_size,
        "learning_rate": LEARNING_RATE,
        "max_grad_norm": 1.0,
        "optim": "adamw_torch_fused",
        "bf16": torch.cuda.is_available(),
        "gradient_checkpointing": False,  # TRL's own default is True: less memory, but slower
        "report_to": "none",
        "disable_tqdm": True,
        "save_strategy": "no",
    }


def _precision() -> str:
    return "bf16" if torch.cuda.is_available() else "fp32"
