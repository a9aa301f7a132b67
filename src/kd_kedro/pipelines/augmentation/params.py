"""Parameters of the augmentation pipeline."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_CONFIG = ConfigDict(extra="forbid", frozen=True)

Version = Literal["formal", "casual", "general", "typo"]


class SplitParams(BaseModel):
    """How families are dealt to train, validation and test."""

    model_config = _CONFIG

    train: float = Field(default=0.8, gt=0, lt=1, description="Share of the families in train.")
    validation: float = Field(
        default=0.1, gt=0, lt=1, description="Share of the families in validation."
    )
    test: float = Field(default=0.1, gt=0, lt=1, description="Share of the families held out.")
    threshold: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="Cosine of two questions from which on they may be of one family.",
    )

    @model_validator(mode="after")
    def _shares_add_up(self) -> "SplitParams":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(
                f"train, validation and test add up to {total:g}: set shares that add up to 1"
            )
        return self


class VersionParams(BaseModel):
    """Which versions of a train row are made."""

    model_config = _CONFIG

    versions: list[Version] = Field(
        default=["formal", "casual", "general", "typo"],
        description="Versions made beside the original; an empty list makes none.",
    )
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
        description="Least cosine of a version with its source; below it says something else.",
    )
    similarity_max: float = Field(
        default=0.9995,
        gt=0,
        le=1,
        description="Largest cosine of a version with its source; above it is the source again.",
    )
    typo_similarity_min: float = Field(
        default=0.3,
        ge=-1,
        lt=1,
        description="Least cosine of a misspelt version, whose words the embedder half knows.",
    )
    seed: int = Field(default=0, ge=0, description="Chooses among equally good rewrites.")

    @model_validator(mode="after")
    def _band_is_open(self) -> "VersionParams":
        if self.similarity_min >= self.similarity_max:
            raise ValueError(
                f"similarity_min {self.similarity_min:g} is not below similarity_max "
                f"{self.similarity_max:g}: no version could be in the band"
            )
        return self


class AugmentationParams(BaseModel):
    """All parameters of the augmentation pipeline."""

    model_config = _CONFIG

    split: SplitParams
    versions: VersionParams
