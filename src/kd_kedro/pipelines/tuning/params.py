"""Parameters of the tuning pipeline."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from kd_kedro.losses.divergence_names import DivergenceName
from kd_kedro.training.loop.training_config import OPERATIONAL, ObjectiveConfig, TrainingConfig

_CONFIG = ConfigDict(extra="forbid", frozen=True)

# What is tuned, and the parameter each value is written to by `kedro run --tuned`.
TARGETS = {
    "alpha": "distillation.objective.alpha",
    "beta": "distillation.objective.beta",
    "temperature": "distillation.objective.temperature",
    "divergence": "distillation.objective.divergence",
    "learning_rate": "distillation.training.learning_rate",
}
BASELINE_RATE = "distillation.controls.baseline.learning_rate"


class NumberParams(BaseModel):
    """What a number may be: fixed wins over choices, choices over the range; none: as it is."""

    model_config = _CONFIG

    low: float | None = Field(
        default=None, description="Least value of the range; null for no range."
    )
    high: float | None = Field(default=None, description="Greatest value of the range.")
    log: bool = Field(
        default=False, description="Whether the range is searched on a logarithmic scale."
    )
    choices: tuple[float, ...] = Field(
        default=(), description="Values to choose from, instead of a range."
    )
    fixed: float | None = Field(
        default=None,
        description="The one value of every trial; null to search or to keep distillation's.",
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> "NumberParams":
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high go together: give both or neither")
        if self.low is not None and self.high is not None:
            if self.low >= self.high:
                raise ValueError(f"low {self.low:g} must be less than high {self.high:g}")
            if self.log and self.low <= 0:
                raise ValueError(f"low {self.low:g} has no logarithm: it must be above 0")
        return self

    @property
    def searched(self) -> bool:
        """Whether trials differ in it."""
        return self.fixed is None and (len(self.choices) > 1 or self._ranges)

    @property
    def values(self) -> tuple[float, ...]:
        """Every value it may take; of a range both ends and the middle; none: distillation's."""
        if self.fixed is not None:
            return (self.fixed,)
        if self.choices or self.low is None or self.high is None:
            return self.choices
        return (self.low, (self.low + self.high) / 2, self.high)

    @property
    def _ranges(self) -> bool:
        return not self.choices and self.low is not None


class DivergenceParams(BaseModel):
    """Which divergences are tried: fixed wins over choices; none: as in distillation."""

    model_config = _CONFIG

    choices: tuple[DivergenceName, ...] = Field(
        default=(), description="Divergences to choose from."
    )
    fixed: DivergenceName | None = Field(
        default=None,
        description="The one of every trial; null to search or to keep distillation's.",
    )

    @property
    def searched(self) -> bool:
        """Whether trials differ in it."""
        return self.fixed is None and len(self.choices) > 1

    @property
    def values(self) -> tuple[str, ...]:
        """Every value it may take; none: distillation's."""
        return self.choices if self.fixed is None else (self.fixed,)


class SpaceParams(BaseModel):
    """The search space."""

    model_config = _CONFIG

    alpha: NumberParams = Field(
        default=NumberParams(low=0.0, high=1.0), description="Weight of the cross-entropy."
    )
    beta: NumberParams = Field(
        default=NumberParams(low=0.1, high=2.0, log=True), description="Weight of the divergence."
    )
    temperature: NumberParams = Field(
        default=NumberParams(),
        description="T; a top-k cache serves those of distillation.targets.temperatures alone.",
    )
    learning_rate: NumberParams = Field(
        default=NumberParams(low=0.001, high=0.01, log=True), description="Peak learning rate."
    )
    divergence: DivergenceParams = Field(
        default=DivergenceParams(), description="Which divergence."
    )

    @field_validator("alpha", "beta", "temperature", "learning_rate")
    @classmethod
    def _within_bounds(cls, number: NumberParams, info: ValidationInfo) -> NumberParams:
        name = str(info.field_name)
        bounds = _bounds(name)
        for value in number.values:
            try:
                bounds.validate_python(value)
            except ValidationError as error:
                raise ValueError(f"{name} {value:g}: {error.errors()[0]['msg']}") from error
        return number

    def of_baseline(self) -> "SpaceParams":
        """Return the space of a baseline: it has no teacher, so that the learning rate is left."""
        alone = {
            "alpha": NumberParams(fixed=1.0),
            "beta": NumberParams(fixed=0.0),
            "temperature": NumberParams(),
            "divergence": DivergenceParams(),
        }
        return self.model_copy(update=alone)

    @model_validator(mode="after")
    def _asks_something(self) -> "SpaceParams":
        if not any(getattr(self, name).searched for name in TARGETS):
            raise ValueError("every value is fixed: there is nothing to search")
        if 0 in self.alpha.values and 0 in self.beta.values:
            raise ValueError("alpha and beta may both be 0: such a student would learn nothing")
        return self


class PrunerParams(BaseModel):
    """When a trial that does worse than the others is ended early."""

    model_config = _CONFIG

    kind: Literal["median", "none"] = Field(
        default="median",
        description="median ends a trial whose loss is above the others' median at that step.",
    )
    startup_trials: int = Field(
        default=4, ge=0, description="Trials that finish before any is ended early."
    )
    after: int = Field(
        default=1, ge=0, description="Evaluations of a trial before it may be ended early."
    )


class TuningParams(BaseModel):
    """A study: trials of students that all learn from one capture of the teacher."""

    model_config = _CONFIG

    trials: int = Field(
        default=12,
        json_schema_extra=OPERATIONAL,
        ge=1,
        le=100_000,
        description="Trials in all, those of earlier runs too.",
    )
    workers: int = Field(
        default=1,
        json_schema_extra=OPERATIONAL,
        ge=1,
        le=256,
        description=(
            "Processes that run trials side by side; with 1 the same seed gives the same study."
        ),
    )
    seed: int = Field(
        default=1, ge=0, description="Seed of the sampler; students have distillation's seed."
    )
    budget: float = Field(
        default=0.33,
        gt=0,
        le=1,
        description="Share of distillation.training's budget that each trial gets.",
    )
    startup_trials: int = Field(
        default=5,
        ge=1,
        description="Trials drawn at random before the sampler (TPE) learns from them.",
    )
    heartbeat: int = Field(
        default=10,
        json_schema_extra=OPERATIONAL,
        ge=1,
        le=3600,
        description=(
            "Seconds between the signs of life of a running trial; silent for three of them it "
            "counts as dead and is tried again."
        ),
    )
    baseline: bool = Field(
        default=True,
        description=(
            "Give the baseline a study of its own: as many trials over the same learning rates, so "
            "that it is tuned as well as the student."
        ),
    )
    pruner: PrunerParams = Field(default=PrunerParams(), description="When trials are ended early.")
    space: SpaceParams = Field(default=SpaceParams(), description="What is searched.")


def _bounds(name: str) -> TypeAdapter[Any]:
    fields = {**TrainingConfig.model_fields, **ObjectiveConfig.model_fields}
    return TypeAdapter(Annotated[float, *fields[name].metadata])
