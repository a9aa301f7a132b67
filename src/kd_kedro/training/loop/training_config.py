"""The settings of a training: budget, optimiser, objective and on-policy sampling."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kd_kedro.losses.divergence_names import DivergenceName

if TYPE_CHECKING:  # torch would make every kedro command slow
    from kd_kedro.models.encoding import Example
    from kd_kedro.training.teacher.signals import TargetSource

History = list[dict[str, float]]  # losses by name and `step`, in the order of the steps
OnEvaluation = Callable[[int, float], None]  # told step and validation loss

# Marks a field that says how a run is done, not what comes of it: a change makes nothing stale.
OPERATIONAL: dict[str, Any] = {"operational": True}


class TrainingConfig(BaseModel):
    """Budget and optimiser of a training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learning_rate: float = Field(gt=0, le=1, description="Peak learning rate of AdamW.")
    batch_size: int = Field(ge=1, le=65_536, description="Rows in one forward pass.")
    gradient_accumulation_steps: int = Field(
        default=1,
        ge=1,
        le=65_536,
        description="Forward passes in one step; effective batch = both multiplied.",
    )
    epochs: float = Field(gt=0, description="Most passes over the training rows.")
    max_tokens: int = Field(
        ge=1, description="Most tokens read, prompts included: bounds the time on any sheet."
    )
    max_steps: int = Field(
        default=0, ge=0, description="Most optimiser steps; 0 for no such bound."
    )
    warmup_ratio: float = Field(
        default=0.1, ge=0, lt=1, description="Share of steps in which the rate rises."
    )
    lr_scheduler_type: Literal["cosine", "linear", "constant_with_warmup"] = Field(
        default="cosine", description="How the learning rate falls after the warm-up."
    )
    weight_decay: float = Field(default=0.01, ge=0, lt=1, description="Weight decay of AdamW.")
    max_grad_norm: float = Field(
        default=1.0, gt=0, description="Norm that gradients are clipped to."
    )
    num_evaluations: int = Field(
        default=6,
        ge=1,
        description="How often the validation rows are scored, evenly spread over the steps.",
    )
    patience: int = Field(
        default=3,
        ge=0,
        description="Evaluations without improvement before training stops; 0 to never stop.",
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="fp32",
        description=(
            "Precision of matrix products, weights stay float32; auto is bf16 where the processor "
            "has instructions for it."
        ),
    )
    save_steps: int = Field(
        default=0,
        json_schema_extra=OPERATIONAL,
        ge=0,
        description=(
            "Most steps a kill can cost; 0 for those between two evaluations, after each of which "
            "there is a checkpoint in any case."
        ),
    )
    gradient_checkpointing: bool = Field(
        default=False,
        json_schema_extra=OPERATIONAL,
        description="Compute activations anew in the backward pass: less memory, a third slower.",
    )
    num_processes: int = Field(
        default=1,
        json_schema_extra=OPERATIONAL,
        ge=1,
        le=1024,
        description="Processes that share every batch; without dropout the result is the same.",
    )
    strategy: Literal["ddp", "fsdp"] = Field(
        default="ddp",
        json_schema_extra=OPERATIONAL,
        description="Of several processes: each has all weights (ddp) or a share of them (fsdp).",
    )
    num_nodes: int = Field(
        default=1,
        json_schema_extra=OPERATIONAL,
        ge=1,
        le=1024,
        description="Machines that train together, as many processes on each.",
    )
    rdzv_endpoint: str = Field(
        default="",
        json_schema_extra=OPERATIONAL,
        description="host:port of one of several machines, where they meet; else empty.",
    )

    @classmethod
    def operational(cls) -> frozenset[str]:
        """Return the fields that say how a training runs, not what comes of it."""
        return frozenset(
            name
            for name, field in cls.model_fields.items()
            if field.json_schema_extra == OPERATIONAL
        )

    @property
    def processes(self) -> int:
        """Processes on all machines."""
        return self.num_processes * self.num_nodes

    def in_one_process(self) -> "TrainingConfig":
        """Return the same training in one process, as one that is watched must run."""
        alone = {"num_processes": 1, "num_nodes": 1, "strategy": "ddp", "rdzv_endpoint": ""}
        return self.model_copy(update=alone)

    @model_validator(mode="after")
    def _nodes_meet(self) -> "TrainingConfig":
        if (self.num_nodes > 1) != bool(self.rdzv_endpoint):
            raise ValueError(
                "num_nodes above 1 and rdzv_endpoint go together: give both or neither"
            )
        if self.strategy == "fsdp" and self.processes == 1:
            raise ValueError("strategy fsdp needs num_processes or num_nodes above 1")
        return self


class ObjectiveConfig(BaseModel):
    """alpha x cross-entropy + beta x divergence + hidden_state_weight x distance of hidden states.

    Over answer tokens; without parameters the reference answers alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    alpha: float = Field(
        default=1.0, ge=0, description="Weight of the cross-entropy with the reference answer."
    )
    beta: float = Field(default=0.0, ge=0, description="Weight of the divergence from the teacher.")
    divergence: DivergenceName = Field(
        default="forward_kl",
        description="Which divergence; the source of the targets must serve it exactly.",
    )
    interpolation: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Weight of the mixture in jsd and the skewed divergences.",
    )
    temperature: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="T: teacher's and student's logits are divided by it in the divergence.",
    )
    # T^2 keeps the gradients of one size whatever the temperature (Hinton, Vinyals and Dean, 2015,
    # arXiv:1503.02531, section 2): 0.208 without it at T 0.7 equals 0.4245 with it.
    temperature_squared: bool = Field(
        default=True,
        description="Whether T^2 multiplies the divergence; beta without it is beta / T^2 with it.",
    )
    # Hidden-state matching: Romero et al., 2015, arXiv:1412.6550.
    hidden_state_weight: float = Field(
        default=0.0,
        ge=0,
        description="Weight of hidden-state matching; the targets must have hidden states.",
    )
    hidden_state_loss: Literal["cosine", "mse"] = Field(
        default="cosine",
        description=(
            "Distance between projected student states and teacher states: 1 - cosine similarity, "
            "or the mean square over the teacher's hidden_size."
        ),
    )

    @model_validator(mode="after")
    def _asks_something(self) -> "ObjectiveConfig":
        if not self.alpha and not self.beta:
            raise ValueError("alpha and beta are both 0: the student would learn no answers")
        if "skewed" in self.divergence and self.interpolation == 1:
            raise ValueError(
                f"interpolation 1 compares {self.divergence}'s one side with itself; give less "
                "than 1"
            )
        return self

    @property
    def asks_teacher(self) -> bool:
        """Whether there is anything to learn from a teacher's signals."""
        return bool(self.beta or self.hidden_state_weight)

    def check(self, source: "TargetSource | None") -> None:
        """Refuse what the source cannot give exactly.

        Raises:
            ValueError: If a teacher is asked and there is none, or one that cannot answer.
        """
        if not self.asks_teacher:
            return
        if source is None:
            key = "beta" if self.beta else "hidden_state_weight"
            raise ValueError(
                f"objective.{key} is {getattr(self, key)} but there are no teacher targets"
            )
        if self.beta and self.divergence not in source.serves:
            raise ValueError(
                f"objective.divergence: these teacher targets cannot give '{self.divergence}' "
                f"exactly; use {' or '.join(sorted(source.serves))}, or capture them with another "
                "targets.source"
            )
        if self.beta and source.temperatures and self.temperature not in source.temperatures:
            captured = " or ".join(f"{value:g}" for value in source.temperatures)
            raise ValueError(
                f"objective.temperature: these teacher targets were captured at {captured}, not "
                f"{self.temperature:g}; add it to targets.temperatures"
            )
        if self.hidden_state_weight and not source.hidden_width:
            raise ValueError(
                f"objective.hidden_state_weight is {self.hidden_state_weight} but these teacher "
                "targets have no hidden states; set targets.hidden_states to true"
            )


class OnPolicyConfig(BaseModel):
    """The student samples answers of its own, and the teacher itself, not a cache, judges them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(
        default=0.0, ge=0, le=1, description="Share of the batches with sampled answers."
    )
    temperature: float = Field(
        default=1.0, gt=0, le=100, description="Temperature at which the student samples."
    )
    max_new_tokens: int = Field(
        default=64, ge=1, le=65_536, description="Tokens after which a sampled answer is cut."
    )


def planned_steps(rows: "Sequence[Example]", config: TrainingConfig) -> int:
    """Return how many optimiser steps the budget gives, at least one."""
    batch = config.batch_size * config.gradient_accumulation_steps
    mean_tokens = sum(len(row.input_ids) for row in rows) / len(rows)
    bounds = [
        math.ceil(config.epochs * len(rows) / batch),
        math.ceil(config.max_tokens / (mean_tokens * batch)),
    ]
    if config.max_steps:
        bounds.append(config.max_steps)
    return max(1, min(bounds))
