"""The size of a model that is made here or cut out of another, and of an adapter on one."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
    """Shape of a student that is cut out of its teacher; what is left out is the teacher's.

    Where nothing is given nothing is cut, and the student is made another way.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_hidden_layers: int | None = Field(default=None, ge=1, description="Layers that stay.")
    hidden_size: int | None = Field(default=None, ge=1, description="Hidden channels that stay.")
    num_attention_heads: int | None = Field(
        default=None,
        ge=1,
        description="Query heads of a layer that stay; those of keys and values go with them.",
    )
    intermediate_size: int | None = Field(
        default=None, ge=1, description="Neurons of a feed-forward layer that stay."
    )
    calibration_rows: int = Field(
        default=256,
        ge=1,
        description="Training rows on which it is measured what each unit does.",
    )

    @property
    def cuts(self) -> bool:
        """Whether a size is given."""
        sizes = self.model_dump(exclude={"calibration_rows"})
        return any(size is not None for size in sizes.values())


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
