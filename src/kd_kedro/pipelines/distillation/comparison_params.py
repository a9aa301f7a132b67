"""Parameters of what students are compared with: other seeds, and controls."""

from pydantic import BaseModel, Field

from kd_kedro.pipelines.distillation.params import CONFIG


class SeedParams(BaseModel):
    """Seeds of the students; `student` is the first one's, fixed beforehand."""

    model_config = CONFIG

    first: int = Field(ge=0, description="Seed of baseline_student and student.")
    count: int = Field(
        ge=1, le=100, description="Seeds in all; those after the first are in student_seeds."
    )


class ControlParams(BaseModel):
    """Models that are trained only to be compared with."""

    model_config = CONFIG

    teacher_seed: int | None = Field(
        ge=0,
        description=(
            "Seed of a second teacher; how far it is from the first is the floor under the "
            "student's distance. null for none: it costs a teacher's training."
        ),
    )
