"""The settings of rewriting train questions."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Style = Literal["formal", "casual", "general", "typo"]


class Limits(BaseModel):
    """How far a rewrite may be from its source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_typo_share: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Largest share of a question's words that may be misspelt.",
    )
    similarity_min: float = Field(
        default=0.7,
        ge=-1,
        lt=1,
        description="Least cosine of a rewrite with its source; below it says something else.",
    )
    similarity_max: float = Field(
        default=0.9995,
        gt=0,
        le=1,
        description="Largest cosine of a rewrite with its source; above it is the source again.",
    )
    typo_similarity_min: float = Field(
        default=0.3,
        ge=-1,
        lt=1,
        description="Least cosine of a misspelt rewrite, whose words the embedder half knows.",
    )

    @model_validator(mode="after")
    def _band_is_open(self) -> "Limits":
        if self.similarity_min >= self.similarity_max:
            raise ValueError(
                f"similarity_min {self.similarity_min:g} is not below similarity_max "
                f"{self.similarity_max:g}: no rewrite could be in the band"
            )
        return self


class RewritingConfig(Limits):
    """Which rewrites of a train row's question are made, and how near they must be."""

    styles: list[Style] = Field(
        default=["formal", "casual", "general", "typo"],
        description="Styles of the rewrites beside the original; an empty list makes none.",
    )
    max_rewrites: int | None = Field(
        default=None,
        ge=0,
        description=(
            "Most rewrites that are tried, chosen by a hash; null for one of each style for every "
            "train row."
        ),
    )
    seed: int = Field(default=0, ge=0, description="Chooses among equally good rewrites.")
