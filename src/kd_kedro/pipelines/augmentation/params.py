"""Parameters of the augmentation pipeline."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kd_kedro.curation.rewriting.rewriting_config import RewritingConfig

_CONFIG = ConfigDict(extra="forbid", frozen=True)


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


class AugmentationParams(BaseModel):
    """All parameters of the augmentation pipeline."""

    model_config = _CONFIG

    split: SplitParams
    rewriting: RewritingConfig
