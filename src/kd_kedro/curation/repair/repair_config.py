"""Which repairs a text may undergo; every other character of it stays."""

from pydantic import BaseModel, ConfigDict, Field


class RepairConfig(BaseModel):
    """The repairs of broken text, each of which can be turned off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mojibake: bool = Field(
        default=True,
        description="Read text again that was read in a wrong encoding (â‚¹ for ₹), unless it is "
        "about encodings.",
    )
    html_entities: bool = Field(
        default=True,
        description="Write &lt; and the like as the sign, in texts that are not about markup.",
    )
    control_characters: bool = Field(
        default=True,
        description="Remove control characters and marks without ink that no script needs where "
        "they stand, and make every line break the same.",
    )
    unicode_forms: bool = Field(
        default=True,
        description="Compose letters with accents; plain ligatures; outside East Asian text "
        "full-width signs, and in English odd spaces, as plain ones.",
    )
    edge_spaces: bool = Field(
        default=True, description="Remove white space before and after the text."
    )
