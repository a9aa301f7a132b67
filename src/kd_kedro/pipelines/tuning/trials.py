"""One student of a study: what a trial trains, in whichever process it runs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kd_kedro.pipelines.distillation.models import Start
from kd_kedro.pipelines.distillation.students import train_one
from kd_kedro.pipelines.distillation.training_groups import StudentSettings
from kd_kedro.pipelines.tuning.params import SpaceParams
from kd_kedro.training.loop.training_config import ObjectiveConfig
from kd_kedro.training.teacher.targets import TeacherTargets

if TYPE_CHECKING:
    from kd_kedro.training.loop.model_training import TrainingInputs


@dataclass
class StudentTrainer:
    """Trains a student with a trial's values, always from the same capture.

    Attributes:
        inputs: What every student learns from.
        start_student: What they begin as, where that is a part of the teacher.
        settings: What each of them is asked; a trial puts its own values into it.
        targets: What all trials read; None where no trial asks a teacher.
        threads: CPU threads of a student that is trained beside others; 0 leaves it to torch.
    """

    inputs: "TrainingInputs"
    start_student: Start
    settings: StudentSettings
    targets: TeacherTargets | None
    threads: int

    @property
    def objective(self) -> ObjectiveConfig:
        """What is minimised, but for a trial's own values."""
        assert self.settings.objective is not None
        return self.settings.objective

    def __call__(
        self,
        values: Mapping[str, Any],
        name: str,
        work_dir: Path,
        on_evaluation: Callable[[int, float], None],
    ) -> None:
        """Train; `on_evaluation` is told step and validation loss and may raise to end it."""
        import torch

        from kd_kedro.training.teacher.store import open_targets

        if self.threads:
            torch.set_num_threads(self.threads)
        if self.inputs.targets is None and self.targets:  # in a worker, once
            source = open_targets(self.targets.manifest, self.targets.store, {})
            self.inputs = replace(self.inputs, targets=source)
        goal = {name: value for name, value in values.items() if name != "learning_rate"}
        rate = {"learning_rate": values["learning_rate"]}
        own = {
            "training": self.settings.training.model_copy(update=rate),
            "objective": with_values(self.objective, goal),
        }
        train_one(
            replace(self.inputs, work_dir=work_dir),
            self.start_student,
            self.settings.model_copy(update=own),
            name,
            on_evaluation,
        )

    def __getstate__(self) -> dict[str, Any]:
        # Memory maps do not travel between processes: each opens its own.
        return {**self.__dict__, "inputs": replace(self.inputs, targets=None)}

    def check(self, space: SpaceParams) -> None:
        """Refuse a space with anything that makes no student, or that the capture cannot serve.

        Raises:
            ValueError: The message names the value.
        """
        for values in _corners(space):
            try:
                goal = with_values(self.objective, values)
                goal.check(self.inputs.targets)
                if self.inputs.on_policy is not None:
                    if not goal.beta:
                        raise ValueError("objective.beta is 0 but on_policy.share is above 0")
                    goal.check(self.inputs.on_policy.teacher)
            except ValidationError as error:
                what = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"tuning.space: objective: {what}") from error
            except ValueError as error:
                raise ValueError(f"tuning.space: {error}") from error


def capture_of(
    targets: TeacherTargets, space: SpaceParams, settings: StudentSettings
) -> TeacherTargets | None:
    """Return the capture that all trials read; None where none of them asks a teacher.

    Raises:
        ValueError: There is none to read, or its tokens are not the student's.
    """
    if not may_ask(space, settings):
        return None
    if settings.student.tokenizer:
        raise ValueError(
            "tuning.space: beta or distillation.objective.hidden_state_weight may be above 0 but "
            "student.tokenizer is set, so that the student's tokens cannot be compared with the "
            "teacher's: set tuning.space.beta.fixed and the weight to 0"
        )
    if targets.manifest.get("source") == "live":
        raise ValueError(
            "a study reads one capture, but distillation.targets.source is live; choose another "
            "source and run capture_targets again"
        )
    return targets


def may_ask(space: SpaceParams, settings: StudentSettings) -> bool:
    """Return whether any trial asks a teacher for targets."""
    objective = settings.objective
    assert objective is not None
    return max(space.beta.values or (objective.beta,)) > 0 or objective.hidden_state_weight > 0


def with_values(objective: ObjectiveConfig, values: Mapping[str, Any]) -> ObjectiveConfig:
    """Return the objective with other values, checked."""
    return ObjectiveConfig.model_validate({**objective.model_dump(), **values})


def _corners(space: SpaceParams) -> Iterator[dict[str, Any]]:
    names = ("alpha", "beta", "divergence", "temperature")
    kinds = [getattr(space, name).values or (None,) for name in names]
    for chosen in product(*kinds):
        yield {name: value for name, value in zip(names, chosen, strict=True) if value is not None}
