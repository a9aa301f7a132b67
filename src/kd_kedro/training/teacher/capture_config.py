"""What is kept of the teacher's distributions, and which divergences that gives exactly."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from kd_kedro.losses.divergence_names import BUCKETED, FULL, SAMPLED

NOTHING = "none"  # the source of targets that nothing asks for: no teacher was read

Source = Literal["top_k", "dense", "sampled", "live"]
# Settings that a source does not read; they are no part of the address of its store.
UNREAD = {
    "dense": ("k", "bytes_per_token", "temperatures", "seed"),
    "top_k": ("bytes_per_token", "seed"),
    "sampled": ("k", "dtype"),
}


class CaptureConfig(BaseModel):
    """What is kept of the teacher's distributions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Source = Field(
        default="sampled",
        description=(
            "sampled keeps likely tokens and draws from the rest, more where the teacher is less "
            "certain, and serves forward_kl without bias; top_k keeps the k likeliest and the rest "
            "as one bucket, and serves the bucketed_ divergences; dense keeps every token and "
            "serves all others; live keeps nothing, asks the teacher at every step and serves what "
            "dense does."
        ),
    )
    capture: bool | None = Field(
        default=None,
        # Where it is false no student reads targets, so that it changes none of them.
        json_schema_extra={"operational": True},
        description=(
            "Whether the teacher is read for targets; null for: where objective.beta or "
            "objective.hidden_state_weight is above 0, so that a student asks for them."
        ),
    )
    bytes_per_token: float = Field(
        default=32,
        ge=4,
        le=256,
        description=(
            "Bytes that sampled may take for an answer token, on the mean of a file; hidden states "
            "come on top, one byte a channel and four."
        ),
    )
    k: int = Field(default=16, ge=1, le=65_536, description="Tokens kept by top_k.")
    temperatures: tuple[PositiveFloat, ...] = Field(
        default=(1.0,),
        min_length=1,
        description=(
            "Temperatures that top_k can be asked at; sampled takes one; dense serves any."
        ),
    )
    hidden_states: bool | None = Field(
        default=None,
        description=(
            "Whether the teacher's last hidden states are kept too; null: where "
            "objective.hidden_state_weight is above 0."
        ),
    )
    dtype: Literal["float16", "bfloat16", "float32"] = Field(
        default="float16",
        description=(
            "Dtype of log probabilities and hidden states of dense and top_k; sampled keeps hidden "
            "states in 8 bits."
        ),
    )
    seed: int = Field(default=1, ge=0, description="Seed of the draws.")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="fp32", description="Precision of the teacher's forward pass."
    )
    batch_size: int = Field(default=64, ge=1, le=65_536, description="Rows in one forward pass.")
    rows_per_shard: int = Field(
        default=2048,
        ge=1,
        description="Rows in one file; a killed capture loses no more than one.",
    )

    @model_validator(mode="after")
    def _is_drawn_at_one_temperature(self) -> "CaptureConfig":
        if self.source == "sampled" and len(self.temperatures) > 1:
            raise ValueError("temperatures: sampled targets are drawn at one temperature; name one")
        return self


def unserved(config: CaptureConfig) -> str:
    """Return why a teacher behind a server cannot give such targets, '' where it can."""
    if config.source != "top_k":
        return (
            f"targets.source is {config.source}, but a server gives the k likeliest tokens alone: "
            "set it to top_k"
        )
    if config.temperatures != (1.0,):
        return (
            f"targets.temperatures are {', '.join(f'{t:g}' for t in config.temperatures)}, but a "
            "server gives probabilities at temperature 1 alone, whose tail has no other: set them "
            "to [1.0]"
        )
    if config.hidden_states:
        return "targets.hidden_states: a server gives no hidden states; set it to false"
    return ""


def serves(source: str) -> frozenset[str]:
    """Return the divergences that targets of a source give exactly."""
    return {"dense": FULL, "live": FULL, "top_k": BUCKETED, "sampled": SAMPLED}[source]
