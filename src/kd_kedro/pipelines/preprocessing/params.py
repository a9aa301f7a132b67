"""Parameters of the preprocessing pipeline."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kd_kedro.curation.repair.repair_config import RepairConfig

PersonalData = Literal["person", "address", "email", "phone", "account", "card", "identity"]
_CONFIG = ConfigDict(extra="forbid", frozen=True)


class ValidationParams(BaseModel):
    """What a record must look like."""

    model_config = _CONFIG

    verdicts: list[str] = Field(
        default=["yes", "no"],
        min_length=1,
        description="Values the verdict column may have, in any case; blank is always allowed. "
        "Common words for yes and no in other languages count as these.",
    )


class ReviewParams(BaseModel):
    """How the reviewers' columns are read."""

    model_config = _CONFIG

    reject_verdicts: list[str] = Field(
        default=["no"], description="Verdicts, in any case, that drop a row."
    )
    reject_corrections: list[str] = Field(
        default=["invalid"], description="Corrections, in any case, that drop a row."
    )
    min_question_words: int = Field(
        default=4,
        ge=1,
        le=100,
        description="Words a correction that ends in '?' has at least to replace the question.",
    )


class ChoiceParams(BaseModel):
    """How sure the choice of an option must be where the answer does not quote it."""

    model_config = _CONFIG

    min_overlap: float = Field(
        default=0.75,
        gt=0.5,
        le=1,
        description="Share of an option's telling words that the answer must have.",
    )
    min_margin: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="How far that share must be above the next option's.",
    )


class RewriteParams(BaseModel):
    """How statements become questions."""

    model_config = _CONFIG

    seed: int = Field(
        default=0, ge=0, description="Seed of a text generator that samples; rules need none."
    )


class PersonalDataParams(BaseModel):
    """Which personal data is flagged and which of it is masked."""

    model_config = _CONFIG

    detect: list[PersonalData] = Field(
        default=["person", "address", "email", "phone", "account", "card", "identity"],
        description="Kinds that are looked for and counted; an empty list looks for none.",
    )
    mask: list[PersonalData] = Field(
        default=[],
        description="Kinds that are replaced by their name, as [EMAIL]; each must be looked for.",
    )
    phone_regions: list[str] = Field(
        default=["IN", "US"],
        description="Countries (two letters) whose phone numbers are known without + and code.",
    )

    @model_validator(mode="after")
    def _masked_is_detected(self) -> "PersonalDataParams":
        if unseen := sorted(set(self.mask) - set(self.detect)):
            raise ValueError(
                f"mask has {', '.join(unseen)}, which detect does not look for: name it in both"
            )
        return self


class PreprocessingParams(BaseModel):
    """All parameters of the preprocessing pipeline."""

    model_config = _CONFIG

    validation: ValidationParams
    review: ReviewParams
    cleaning: RepairConfig
    rewriting: RewriteParams
    choices: ChoiceParams
    personal_data: PersonalDataParams
