"""Parameters of the distillation pipeline, one group for each thing that can go stale alone."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_CONFIG = ConfigDict(extra="forbid", frozen=True)

Version = Literal["original", "formal", "casual", "general", "typo"]
Precision = Literal["auto", "bf16", "fp32"]
Divergence = Literal[
    "forward_kl",
    "reverse_kl",
    "jsd",
    "skewed_forward_kl",
    "skewed_reverse_kl",
    "bucketed_forward_kl",
    "bucketed_reverse_kl",
    "bucketed_jsd",
    "bucketed_skewed_forward_kl",
    "bucketed_skewed_reverse_kl",
]


class ExampleParams(BaseModel):
    """Which rows are learned from, and how long they may be."""

    model_config = _CONFIG

    versions: tuple[Version, ...] = Field(
        min_length=1, description="Versions of the training rows that models are trained on."
    )
    augmented_rows: int = Field(
        ge=0,
        description="Most training rows of versions other than original, chosen by a hash.",
    )
    max_length: int = Field(
        ge=8,
        le=131_072,
        description="Most tokens of prompt and answer together; longer rows are cut.",
    )
    validation_rows: int = Field(
        ge=0,
        description="Most rows of the validation split that early stopping looks at; 0 for none.",
    )


class TokenizerParams(BaseModel):
    """The tokenizer that teacher and students share."""

    model_config = _CONFIG

    pretrained: str = Field(
        description="Hub name or folder of an existing tokenizer; empty to train one here."
    )
    vocabulary: int = Field(
        ge=258, le=262_144, description="Most tokens of a tokenizer trained here."
    )
    min_frequency: int = Field(
        ge=1, description="How often a pair of tokens must occur to become one."
    )


class ArchitectureParams(BaseModel):
    """Size of a GPT-2-architecture model made here; not read where one is pretrained."""

    model_config = _CONFIG

    layers: int = Field(ge=1, le=128, description="Transformer blocks.")
    width: int = Field(ge=8, le=16_384, description="Size of the hidden states.")
    heads: int = Field(ge=1, le=128, description="Attention heads; they must divide the width.")
    dropout: float = Field(ge=0, lt=1, description="Share of activations dropped in training.")
    init_std: float = Field(
        gt=0, le=1, description="Standard deviation of the initial weights; GPT-2 itself has 0.02."
    )

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "ArchitectureParams":
        if self.width % self.heads:
            raise ValueError(f"heads {self.heads} does not divide width {self.width}")
        return self


class TrainingParams(BaseModel):
    """Budget and optimiser of a training."""

    model_config = _CONFIG

    learning_rate: float = Field(gt=0, le=1, description="Peak learning rate of AdamW.")
    batch_size: int = Field(ge=1, le=65_536, description="Rows in one forward pass.")
    accumulation: int = Field(
        ge=1,
        le=65_536,
        description="Forward passes in one step; effective batch = both multiplied.",
    )
    epochs: float = Field(gt=0, description="Most passes over the training rows.")
    max_tokens: int = Field(
        ge=1, description="Most tokens read, prompts included: bounds the time on any sheet."
    )
    max_steps: int = Field(ge=0, description="Most optimiser steps; 0 for no such bound.")
    warmup: float = Field(ge=0, lt=1, description="Share of steps in which the rate rises.")
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = Field(
        description="How the learning rate falls after the warm-up."
    )
    weight_decay: float = Field(ge=0, lt=1, description="Weight decay of AdamW.")
    max_grad_norm: float = Field(gt=0, description="Norm that gradients are clipped to.")
    evaluations: int = Field(
        ge=1, description="How often the validation rows are scored, evenly spread."
    )
    patience: int = Field(
        ge=0,
        description="Evaluations without improvement before training stops; 0 to never stop.",
    )
    precision: Precision = Field(
        description="Of matrix products; auto is bf16 where the processor has instructions for it."
    )
    checkpoint_steps: int = Field(
        ge=0,
        description="Most steps a kill can cost; 0 for those between two evaluations.",
    )


class TeacherParams(BaseModel):
    """The teacher: made here, or pretrained and fine-tuned here."""

    model_config = _CONFIG

    pretrained: str = Field(
        description="Hub name or folder (safetensors only); empty to make one here."
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        description="Dtype a pretrained teacher is loaded in; auto is as stored."
    )
    fine_tune: bool = Field(description="Train the teacher on the answers of the sheet.")
    seed: int = Field(ge=0, description="Seed of its weights, row order and dropout.")
    architecture: ArchitectureParams = Field(description="Its size where it is made here.")
    training: TrainingParams = Field(description="How it is trained.")

    @model_validator(mode="after")
    def _teaches(self) -> "TeacherParams":
        if not self.pretrained and not self.fine_tune:
            raise ValueError("an untrained teacher teaches nothing: fine_tune must be true")
        return self


class TargetParams(BaseModel):
    """What is kept of the teacher's distributions."""

    model_config = _CONFIG

    source: Literal["top_k", "dense", "sampled"] = Field(
        description=(
            "top_k keeps the k likeliest tokens and the rest as one bucket and serves the "
            "bucketed_ divergences; dense keeps every token and serves all others; sampled keeps "
            "draws and serves forward_kl without bias."
        )
    )
    k: int = Field(ge=1, le=65_536, description="Tokens kept by top_k.")
    draws: int = Field(ge=1, le=255, description="Tokens drawn by sampled.")
    temperatures: tuple[float, ...] = Field(
        min_length=1,
        description=(
            "Temperatures that top_k can be asked at; sampled takes one; dense serves any."
        ),
    )
    hidden: bool = Field(description="Keep the teacher's last hidden states, for objective.hidden.")
    dtype: Literal["float16", "bfloat16", "float32"] = Field(
        description="Dtype of the stored log probabilities and hidden states."
    )
    seed: int = Field(ge=0, description="Seed of the draws.")
    precision: Precision = Field(description="Of the teacher's forward pass.")
    batch_size: int = Field(ge=1, le=65_536, description="Rows in one forward pass.")
    rows_per_shard: int = Field(
        ge=1, description="Rows in one file; a killed capture loses no more than one."
    )


class StudentParams(BaseModel):
    """The student, and the baseline that is its twin without a teacher."""

    model_config = _CONFIG

    pretrained: str = Field(
        description="Hub name or folder (safetensors only); empty to make one here."
    )
    architecture: ArchitectureParams = Field(description="Its size where it is made here.")


class ObjectiveParams(BaseModel):
    """alpha x cross-entropy + beta x divergence, over answer tokens."""

    model_config = _CONFIG

    alpha: float = Field(ge=0, description="Weight of the cross-entropy with the written answer.")
    beta: float = Field(ge=0, description="Weight of the divergence from the teacher.")
    divergence: Divergence = Field(
        description="Which divergence; the source of the targets must serve it exactly."
    )
    interpolation: float = Field(
        ge=0, le=1, description="Weight of the mixture in jsd and the skewed divergences."
    )
    temperature: float = Field(
        gt=0, le=100, description="T: teacher's and student's logits are divided by it."
    )
    temperature_squared: bool = Field(
        description="Whether T^2 multiplies the divergence; beta without it is beta / T^2 with it."
    )

    hidden: float = Field(
        ge=0, description="Weight of hidden-state matching; the targets must have hidden states."
    )
    hidden_distance: Literal["cosine", "mse"] = Field(
        description="Distance between projected student states and teacher states."
    )

    @model_validator(mode="after")
    def _asks_something(self) -> "ObjectiveParams":
        if not self.alpha and not self.beta:
            raise ValueError("alpha and beta are both 0: the student would learn nothing")
        if "skewed" in self.divergence and self.interpolation == 1:
            raise ValueError("a skewed divergence with interpolation 1 is 0 whatever the student")
        return self


class SeedParams(BaseModel):
    """Seeds of the students; `student` is the first one's, fixed beforehand."""

    model_config = _CONFIG

    first: int = Field(ge=0, description="Seed of baseline_student and student.")
    count: int = Field(
        ge=1, le=100, description="Seeds in all; those after the first are in student_seeds."
    )
