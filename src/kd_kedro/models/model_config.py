"""The size of a model that is made here or cut out of another, and of an adapter on one."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SIZES = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
BUDGETS = ("parameters", "latency")

# What a model's card says of its licence, where the project made all that it was trained on.
TRAINED_HERE = "Apache-2.0: trained from random weights on rows fabricated by kd_kedro"


class ArchitectureConfig(BaseModel):
    """Size of a GPT-2-architecture model made here; not read where one is pretrained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_hidden_layers: int = Field(ge=1, le=128, description="Transformer blocks.")
    hidden_size: int = Field(ge=8, le=16_384, description="Size of the hidden states.")
    num_attention_heads: int = Field(
        ge=1, le=128, description="Attention heads; their number must divide hidden_size."
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Share of activations dropped in training."
    )
    initializer_range: float = Field(
        default=0.06,
        gt=0,
        le=1,
        description=(
            "Standard deviation of the initial weights. GPT-2's 0.02 suits a hidden_size of 768 "
            "and more; narrow models learn to copy from the prompt much sooner from larger weights."
        ),
    )

    @model_validator(mode="after")
    def _heads_divide_hidden_size(self) -> "ArchitectureConfig":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"num_attention_heads {self.num_attention_heads} does not divide hidden_size "
                f"{self.hidden_size}"
            )
        return self


class PruningConfig(BaseModel):
    """Shape of a student that is cut out of its teacher, or a budget that its shape has to meet.

    Sizes that are left out are the teacher's. Where nothing is given nothing is cut, and the
    student is made another way.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_hidden_layers: int | None = Field(default=None, ge=1, description="Layers that stay.")
    hidden_size: int | None = Field(
        default=None, ge=1, description="Hidden channels that are left."
    )
    num_attention_heads: int | None = Field(
        default=None,
        ge=1,
        description="Query heads of a layer that stay; those of keys and values go with them.",
    )
    intermediate_size: int | None = Field(
        default=None, ge=1, description="Neurons of a feed-forward layer that stay."
    )
    parameters: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description=(
            "In place of sizes: share of the teacher's parameters that the student may have. A few "
            "shapes that meet it are trained a little; the best on the validation rows is taken."
        ),
    )
    latency: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description=(
            "In place of sizes: share of the teacher's time for an answer that the student may "
            "take, as measured; shapes are chosen as for parameters."
        ),
    )
    search_tokens: int = Field(
        default=50_000,
        ge=1,
        description="Most tokens that each shape within a budget is trained on, to choose one.",
    )
    search_learning_rate: float = Field(
        default=5e-4,  # the most that is usual for pretrained models; small ones rank alike at it
        gt=0,
        le=1,
        description="Peak learning rate of these short trainings, on the reference answers.",
    )
    calibration_rows: int = Field(
        default=256,
        ge=1,
        description="Training rows on which it is measured what each unit does.",
    )

    @model_validator(mode="before")
    @classmethod
    def _a_budget_stands_in_place_of_sizes(cls, values: Any) -> Any:
        """Drop sizes, which conf/base gives, where there is a budget."""
        if not isinstance(values, Mapping) or all(values.get(name) is None for name in BUDGETS):
            return values
        return {name: value for name, value in values.items() if name not in SIZES}

    @model_validator(mode="after")
    def _one_budget(self) -> "PruningConfig":
        if self.parameters is not None and self.latency is not None:
            raise ValueError("parameters and latency are two budgets; empty one")
        return self

    @property
    def cuts(self) -> bool:
        """Whether a size or a budget is given."""
        return any(getattr(self, name) is not None for name in (*SIZES, *BUDGETS))

    @property
    def budget(self) -> tuple[str, float]:
        """What bounds the shape, `parameters` or `latency`, and the share; ("", 1) for nothing."""
        shares = {name: getattr(self, name) for name in BUDGETS}
        return next(((name, share) for name, share in shares.items() if share), ("", 1.0))


class AdapterConfig(BaseModel):
    """A low-rank adapter that learns in the place of a pretrained student's own weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["none", "lora", "qlora"] = Field(
        default="none",
        description="qlora holds the base in 4 bits: it needs a GPU and the extra kd_kedro[qlora].",
    )
    rank: int = Field(
        default=16, ge=1, le=4096, description="r: inner size of the adapter's two matrices."
    )
    alpha: float = Field(
        default=32, gt=0, description="What the adapter adds is multiplied by alpha / rank."
    )
    dropout: float = Field(
        default=0.05, ge=0, lt=1, description="Share of its inputs dropped in training."
    )
    target_modules: tuple[str, ...] = Field(
        default=(),
        description=(
            "Linear layers it is added to, by the last part of their names (q_proj, c_attn); "
            "empty for all linear layers of the blocks. The head cannot be one."
        ),
    )
