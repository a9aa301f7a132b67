"""Parameters of the distillation pipeline, one group for each thing that can go stale alone."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, model_validator

CONFIG = ConfigDict(extra="forbid", frozen=True)
# Marks a field that says how a run is done, not what comes of it: a change makes nothing stale.
OPERATIONAL: dict[str, Any] = {"operational": True}

Version = Literal["original", "formal", "casual", "general", "typo"]
Precision = Literal["auto", "bf16", "fp32"]
Source = Literal["top_k", "dense", "sampled", "live"]
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

    model_config = CONFIG

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

    model_config = CONFIG

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

    model_config = CONFIG

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

    model_config = CONFIG

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
        json_schema_extra=OPERATIONAL,
        ge=0,
        description="Most steps a kill can cost; 0 for those between two evaluations.",
    )
    gradient_checkpointing: bool = Field(
        json_schema_extra=OPERATIONAL,
        description="Compute activations anew in the backward pass: less memory, a third slower.",
    )
    num_processes: int = Field(
        json_schema_extra=OPERATIONAL,
        ge=1,
        le=1024,
        description="Processes that share every batch; without dropout the result is the same.",
    )
    strategy: Literal["ddp", "fsdp"] = Field(
        json_schema_extra=OPERATIONAL,
        description="Of several processes: each has all weights (ddp) or a share of them (fsdp).",
    )
    nodes: int = Field(
        json_schema_extra=OPERATIONAL,
        ge=1,
        le=1024,
        description="Machines that train together, as many processes on each.",
    )
    rendezvous: str = Field(
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

    @model_validator(mode="after")
    def _nodes_meet(self) -> "TrainingParams":
        if (self.nodes > 1) != bool(self.rendezvous):
            raise ValueError("nodes above 1 and rendezvous go together: give both or neither")
        if self.strategy == "fsdp" and self.nodes * self.num_processes == 1:
            raise ValueError("strategy fsdp needs num_processes or nodes above 1")
        return self


class TeacherParams(BaseModel):
    """The teacher: made here, or pretrained and fine-tuned here."""

    model_config = CONFIG

    pretrained: str = Field(
        description=(
            "Hub name or folder (safetensors only) of a causal or encoder-decoder model, or of an "
            "encoder, which becomes both halves of one; empty to make one here."
        )
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


class EnsembleParams(BaseModel):
    """Further teachers: their probabilities are averaged with the first one's, at capture."""

    model_config = CONFIG

    seeds: tuple[int, ...] = Field(
        description="Seeds of further teachers, made or fine-tuned as the first one is."
    )
    pretrained: tuple[str, ...] = Field(
        description="Hub names or folders of further teachers of the same tokenizer, used as is."
    )
    weights: tuple[float, ...] = Field(
        description="Of the first teacher, the seeds', the pretrained ones; none for equal weights."
    )

    @model_validator(mode="after")
    def _one_weight_each(self) -> "EnsembleParams":
        count = 1 + len(self.seeds) + len(self.pretrained)
        if self.weights and (len(self.weights) != count or min(self.weights) <= 0):
            raise ValueError(f"weights must be {count} numbers above 0, the first teacher's first")
        return self

    @property
    def shares(self) -> list[float]:
        """The further teachers' shares of the probability; the first one has the rest."""
        weights = self.weights or (1.0,) * (1 + len(self.seeds) + len(self.pretrained))
        return [weight / sum(weights) for weight in weights[1:]]


class SequenceLevelParams(BaseModel):
    """Answers that a teacher writes to the training questions, for students to be trained on."""

    model_config = CONFIG

    source: Literal["none", "teacher", "generator"] = Field(
        description=(
            "Who writes them: nobody; the teacher of this run; or text_generator of the catalog, "
            "such as a server, by its prompt for the task answer."
        )
    )
    keep_written: bool = Field(
        description="Train students on the written answers as well as on the teacher's."
    )
    must_match: bool = Field(
        description="Reject an answer that differs from a written one that can be graded."
    )
    max_new_tokens: int = Field(
        ge=1, le=65_536, description="Tokens after which the teacher's answer is cut, and rejected."
    )
    batch_size: int = Field(ge=1, le=65_536, description="Questions the teacher answers at once.")
    seed: int = Field(ge=0, description="Chooses among the answers of a generator that samples.")


class OnPolicyParams(BaseModel):
    """The student samples answers of its own, and the teacher itself, not a cache, judges them."""

    model_config = CONFIG

    share: float = Field(ge=0, le=1, description="Share of the batches with sampled answers.")
    temperature: float = Field(gt=0, le=100, description="The student's when it samples.")
    max_new_tokens: int = Field(
        ge=1, le=65_536, description="Tokens after which a sampled answer is cut."
    )


class TargetParams(BaseModel):
    """What is kept of the teacher's distributions."""

    model_config = CONFIG

    source: Source = Field(
        description=(
            "sampled keeps the k likeliest tokens and draws from the rest, and serves forward_kl "
            "without bias; top_k keeps the k likeliest and the rest as one bucket, and serves the "
            "bucketed_ divergences; dense keeps every token and serves all others; live keeps "
            "nothing, asks the teacher at every step and serves what dense does."
        )
    )
    k: int = Field(ge=1, le=65_536, description="Tokens kept by sampled and top_k.")
    draws: int = Field(ge=1, le=65_536, description="Tokens drawn by sampled, beside those k.")
    temperatures: tuple[PositiveFloat, ...] = Field(
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


class AdapterParams(BaseModel):
    """A low-rank adapter that learns in the place of a pretrained student's own weights."""

    model_config = CONFIG

    kind: Literal["none", "lora", "qlora"] = Field(
        description="qlora holds the base in 4 bits: it needs a GPU and the extra kd_kedro[qlora]."
    )
    rank: int = Field(ge=1, le=4096, description="r: inner size of the adapter's two matrices.")
    alpha: float = Field(gt=0, description="What the adapter adds is multiplied by alpha / rank.")
    dropout: float = Field(ge=0, lt=1, description="Share of its inputs dropped in training.")
    target_modules: tuple[str, ...] = Field(
        description=(
            "Linear layers it is added to, by the last part of their names (q_proj, c_attn); "
            "empty for all linear layers of the blocks. The head cannot be one."
        )
    )


class StudentParams(BaseModel):
    """The student, and the baseline that is its twin without a teacher."""

    model_config = CONFIG

    tokenizer: str = Field(
        description=(
            "Hub name or folder of the student's own tokenizer, where it is not the teacher's: it "
            "then learns from answers alone (sequence_level); empty for the teacher's."
        )
    )
    pretrained: str = Field(
        description=(
            "Hub name or folder (safetensors only) of a causal or encoder-decoder model, or of an "
            "encoder, which becomes both halves of one; empty to make one here."
        )
    )
    copy_layers: tuple[NonNegativeInt, ...] = Field(
        description=(
            "Numbers of the teacher's layers, from 0, that the student is made of, with the "
            "teacher's embeddings, norms and head; the baseline then has that shape and random "
            "weights. Empty to copy none."
        )
    )
    adapter: AdapterParams = Field(description="LoRA or QLoRA on a pretrained student.")
    architecture: ArchitectureParams = Field(description="Its size where it is made here.")

    @model_validator(mode="after")
    def _is_made_one_way(self) -> "StudentParams":
        if self.copy_layers and self.pretrained:
            raise ValueError("copy_layers and pretrained are two students; empty one of them")
        if self.copy_layers and self.tokenizer:
            raise ValueError(
                "copy_layers brings the teacher's embeddings, which belong to the teacher's "
                "tokenizer; empty tokenizer or copy_layers"
            )
        if self.adapter.kind != "none" and not self.pretrained:
            raise ValueError(
                f"adapter.kind is {self.adapter.kind} but pretrained is empty: an adapter changes "
                "a model that has learned before"
            )
        return self


class ObjectiveParams(BaseModel):
    """alpha x cross-entropy + beta x divergence, over answer tokens."""

    model_config = CONFIG

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

    @property
    def asks_teacher(self) -> bool:
        """Whether there is anything to learn from a teacher's signals."""
        return bool(self.beta or self.hidden)
