"""What can be chosen about the fabricated sample."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0, le=0.5)]


class DefectShares(BaseModel):
    """The share of all rows that carries each defect."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reviewer_reject: Share = Field(
        default=0.11, description="Rows a reviewer rejected, off-topic or not."
    )
    off_topic: Share = Field(
        default=0.13, description="Rows about something else, reviewed or not."
    )
    mojibake: Share = Field(default=0.025, description="Rows with UTF-8 read as cp1252.")
    unicode: Share = Field(
        default=0.025, description="Rows with NFD forms, odd spaces, full-width digits, …"
    )
    currency: Share = Field(
        default=0.08, description="Rows with currency signs, which must survive cleaning."
    )
    formula: Share = Field(
        default=0.03, description="Rows with operators, which must survive cleaning."
    )
    fitb: Share = Field(default=0.03, description="Fill-in-the-blank rows.")
    mcq: Share = Field(default=0.04, description="Multiple-choice rows.")
    exact_duplicate: Share = Field(default=0.02, description="Copies of an earlier row.")
    near_duplicate: Share = Field(default=0.02, description="Rewordings of an earlier row.")
    decoy: Share = Field(
        default=0.02,
        description="Rows that differ from an earlier row in a number, a negation or a name only.",
    )
    contradictory: Share = Field(
        default=0.01, description="Rows whose question has another answer elsewhere."
    )
    comma_break: Share = Field(default=0.005, description="Rows broken by an unquoted comma.")
    unrepairable: Share = Field(default=0.005, description="Rows with U+FFFD where text was lost.")


class FabricationParameters(BaseModel):
    """The size, the seed and the composition of the fabricated sheet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=20250, ge=0, description="Seed of everything drawn.")
    rows: int = Field(
        default=6000, ge=200, le=100_000, description="Records in the sheet, header not counted."
    )
    gradable: float = Field(
        default=0.52,
        ge=0.0,
        le=1.0,
        description="Share of the on-topic rows whose answer is gradable exactly.",
    )
    unreviewed: Share = Field(
        default=0.16, description="Share of all rows no reviewer has looked at."
    )
    unreviewed_off_topic: float = Field(
        default=0.25, ge=0.0, le=1.0, description="Share of the unreviewed rows that is off-topic."
    )
    shares: DefectShares = Field(
        default=DefectShares(), description="Share of all rows that carries each defect."
    )

    @model_validator(mode="after")
    def _leaves_healthy_rows(self) -> "FabricationParameters":
        shares = self.shares
        hidden = self.unreviewed * self.unreviewed_off_topic
        if hidden > shares.off_topic:
            raise ValueError(
                f"unreviewed × unreviewed_off_topic is {hidden:.3f}, above shares.off_topic "
                f"{shares.off_topic:.3f}: raise shares.off_topic or lower the other two"
            )
        if shares.off_topic - hidden > shares.reviewer_reject:
            raise ValueError(
                "more reviewed off-topic rows than rejected rows: raise shares.reviewer_reject "
                "or lower shares.off_topic"
            )
        taken = (
            shares.reviewer_reject
            + hidden
            + shares.fitb
            + shares.mcq
            + shares.formula
            + shares.comma_break
            + shares.unrepairable
            + shares.mojibake
            + shares.unicode
            + 2 * (shares.exact_duplicate + shares.near_duplicate + shares.decoy)
            + shares.contradictory
            + self.unreviewed
        )
        if taken > 0.9:
            raise ValueError(
                f"the shares claim {taken:.2f} of the rows, above 0.9: lower some of them"
            )
        return self
