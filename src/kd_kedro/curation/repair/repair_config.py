"""Which repairs a text may undergo; every other character of it stays."""

from pydantic import BaseModel, ConfigDict, Field


class RepairConfig(BaseModel):
    """The repairs of broken text, each of which can be turned off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mojibake: bool = Field(
        default=True, description="Read text again that was read in a wrong encoding (â‚¹ for ₹)."
    )
    html_entities: bool = Field(
        default=True,
        description="Write &lt; and the like as the sign, in texts that are not about markup.",
    )
    control_characters: bool = Field(
        default=True,
        description="Remove characters without ink, and make every line break the same.",
    )
    unicode_forms: bool = Field(
        default=True,
        description="Compose Latin letters; plain ligatures, full-width signs and odd spaces.",
    )
    edge_spaces: bool = Field(
        default=True, description="Remove white space before and after the text."
    )
