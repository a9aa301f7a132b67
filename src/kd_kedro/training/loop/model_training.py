"""The training of a language model on tables of examples, and the card that tells of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from kd_kedro.models.build import size_card
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import Example, Prompts, pad_token_id, with_prompts
from kd_kedro.models.prompt_format import format_of
from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.training.examples import encode_examples
from kd_kedro.training.loop.on_policy import OnPolicy
from kd_kedro.training.loop.train import train
from kd_kedro.training.loop.training_config import (
    History,
    ObjectiveConfig,
    OnEvaluation,
    TrainingConfig,
)
from kd_kedro.training.teacher.signals import TargetSource


@dataclass(frozen=True)
class TrainingInputs:
    """What a training learns from, whichever model it is.

    Attributes:
        examples: What is learned from.
        validation: What early stopping looks at.
        tokenizer: What turns them into tokens.
        max_length: Most tokens of an example.
        work_dir: Where checkpoints lie.
        keeps: Whether a training that ended is kept there, see `train`.
        targets: The teacher's signals; None where it is not asked.
        on_policy: The sampling of a student's own answers; None where it samples none.
        prompts: Of a teacher, its own prompts of examples with a context, by id; they are whole.
        reads: Most tokens of prompt and answer with them; 0 where there are none.
    """

    examples: pd.DataFrame
    validation: pd.DataFrame
    tokenizer: Any
    max_length: int
    work_dir: Path
    keeps: bool = False
    targets: TargetSource | None = None
    on_policy: OnPolicy | None = None
    prompts: Prompts = field(default_factory=dict)
    reads: int = 0

    @property
    def longest(self) -> int:
        """Most tokens that the model is to read, prompt and answer together."""
        return max(self.max_length, self.reads)

    def encode(self, examples: pd.DataFrame) -> list[Example]:
        """Return examples as tokens, as the model reads them."""
        rows = encode_examples(examples, self.tokenizer, self.max_length)
        return with_prompts(rows, self.prompts)


def train_model(
    model: Any,
    inputs: TrainingInputs,
    settings: TrainingConfig,
    objective: ObjectiveConfig,
    *,
    seed: int,
    name: str,
    origin: str,
    on_evaluation: OnEvaluation | None = None,
) -> tuple[LanguageModel, History]:
    """Train a model in place; return it with its card, and its history.

    Args:
        model: A causal or encoder-decoder language model, or one with an adapter.
        inputs: What it learns from.
        settings: Budget and optimiser.
        objective: What is minimised.
        seed: Seed of the row order and the dropout.
        name: What its card and its progress bar say.
        origin: What its weights were before; empty where they were made in this run.
        on_evaluation: Function of step and validation loss; its error ends the training.
    """
    targets = inputs.targets if objective.asks_teacher else None
    history = train(
        model,
        inputs.encode(inputs.examples),
        inputs.encode(inputs.validation),
        objective=objective,
        targets=targets,
        settings=settings,
        seed=seed,
        padding=pad_token_id(inputs.tokenizer),
        work_dir=inputs.work_dir,
        keeps=inputs.keeps,
        description=name,
        on_policy=inputs.on_policy,
        on_evaluation=on_evaluation,
    )
    card = _training_card(settings, objective, targets, history)
    if inputs.on_policy is not None:
        card["on_policy"] = inputs.on_policy.settings
    return with_card(model, inputs, seed=seed, name=name, origin=origin, training=card), history


def with_card(
    model: Any,
    inputs: TrainingInputs,
    *,
    seed: int,
    name: str,
    origin: str,
    training: dict[str, Any] | None = None,
) -> LanguageModel:
    """Return a model with its tokenizer and a card that says what it is and what made it."""
    card = {
        "name": name,
        # Reports and model cards travel: a folder is named, not where it lies on this machine.
        "origin": (Path(origin).name if Path(origin).is_dir() else origin) or "made in this run",
        "seed": seed,
        **size_card(model),
        "max_length": inputs.longest,
        "prompt_template": format_of(inputs.tokenizer).template,
        "weights": weights_fingerprint(model),
        **(training or {}),
    }
    return LanguageModel(model.eval(), inputs.tokenizer, card)


def _training_card(
    settings: TrainingConfig,
    objective: ObjectiveConfig,
    targets: TargetSource | None,
    history: History,
) -> dict[str, Any]:
    losses = [record["validation_loss"] for record in history if "validation_loss" in record]
    asked: dict[str, Any] = {"alpha": objective.alpha, "beta": objective.beta}
    if targets is not None:
        asked |= objective.model_dump()
    return {
        "steps": int(history[-1]["step"]),
        "validation_loss": min(losses) if losses else None,
        "teacher_targets": targets.fingerprint if targets is not None else None,
        "objective": asked,
        "training": settings.model_dump(),
    }
