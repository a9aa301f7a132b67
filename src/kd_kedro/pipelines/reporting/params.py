"""Parameters of the reporting pipeline."""

from pydantic import BaseModel, ConfigDict, Field

_CONFIG = ConfigDict(extra="forbid", frozen=True)


class Licences(BaseModel):
    """Under which licences the report's data and models stand.

    An empty text is "not stated", unless this run made all of it from nothing.
    """

    model_config = _CONFIG

    data: str = Field(
        default="", description="Licence of the sheet; empty: not stated, or this project's own."
    )
    teacher: str = Field(
        default="",
        description="Licence of the teacher's weights; empty: not stated, or this project's own.",
    )
    student: str = Field(
        default="",
        description="Licence of the student's weights; empty: not stated, or this project's own.",
    )


class ModelCardParams(BaseModel):
    """What the student's model card says of itself, beside the numbers."""

    model_config = _CONFIG

    name: str = Field(default="kd_kedro student", min_length=1, description="The student's name.")
    language: list[str] = Field(
        default=[],
        description="Languages as ISO 639 codes; empty: measured on the held-out rows.",
    )
    licence: str = Field(
        default="",
        pattern=r"^[a-z0-9.-]*$",
        description="Licence of the student as the Hugging Face hub calls it, as apache-2.0; "
        "empty: apache-2.0 where this run made all of it from nothing, else other.",
    )
    dataset: str = Field(
        default="held-out families of the sheet",
        min_length=1,
        description="What the card calls the data it was judged on.",
    )
    intended_use: str = Field(
        default="Answers short questions of the kind it was trained on, for people who can check.",
        min_length=1,
        description="What the student is for.",
    )


class ReportParams(BaseModel):
    """What the report says beside the numbers."""

    model_config = _CONFIG

    title: str = Field(
        default="Distillation report", min_length=1, description="Title of the report."
    )
    curation_examples: int = Field(
        default=2, ge=0, le=50, description="Rows shown of each kind a stage removed or changed."
    )
    instructive_examples: int = Field(
        default=12, ge=1, le=200, description="Rows in the table of instructive examples."
    )
    licences: Licences = Field(default=Licences(), description="Licences of data and models.")
    model_card: ModelCardParams = Field(
        default=ModelCardParams(), description="What the model card says beside the numbers."
    )
