"""One student of a study: what a trial trains, in whichever process it runs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kd_kedro.pipelines.distillation.lessons import Lesson, train_one
from kd_kedro.pipelines.distillation.params import ObjectiveParams, StudentParams, TrainingParams
from kd_kedro.pipelines.tuning.params import SpaceParams


@dataclass
class StudentTrainer:
    """Trains a student with a trial's values, always from the same capture.

    Attributes:
        lesson: What every student learns from.
        student: The student's size.
        training: A trial's budget; its learning rate is the trial's own.
        objective: What is minimised; the trial's values are put into it.
        seed: Of every student, so that trials differ in their values alone.
        manifest: `teacher_targets`; empty where no trial asks a teacher.
        target_store: Where the manifest points.
        threads: CPU threads of a student that is trained beside others; 0 leaves it to torch.
    """

    lesson: Lesson
    student: StudentParams
    training: TrainingParams
    objective: ObjectiveParams
    seed: int
    manifest: Mapping[str, Any]
    target_store: Path
    threads: int

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
        if self.lesson.targets is None and self.manifest:  # in a worker, once
            targets = open_targets(self.manifest, self.target_store, {})
            self.lesson = replace(self.lesson, targets=targets)
        goal = {name: value for name, value in values.items() if name != "learning_rate"}
        rate = {"learning_rate": values["learning_rate"]}
        train_one(
            replace(self.lesson, work_dir=work_dir),
            self.student,
            self.training.model_copy(update=rate),
            with_values(self.objective, goal),
            self.seed,
            name,
            on_evaluation,
        )

    def __getstate__(self) -> dict[str, Any]:
        # Memory maps do not travel between processes: each opens its own.
        return {**self.__dict__, "lesson": replace(self.lesson, targets=None)}

    def check(self, space: SpaceParams) -> None:
        """Refuse a space with anything that makes no student, or that the capture cannot serve.

        Raises:
            ValueError: The message names the value.
        """
        from kd_kedro.training.loop.objective import Objective

        for values in _corners(space):
            try:
                params = with_values(self.objective, values)
                goal = Objective(**params.model_dump())
                goal.check(self.lesson.targets)
                if self.lesson.on_policy is not None:
                    if not params.beta:
                        raise ValueError("objective.beta is 0 but on_policy.share is above 0")
                    goal.check(self.lesson.on_policy.teacher)
            except ValidationError as error:
                what = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"tuning.space: objective: {what}") from error
            except ValueError as error:
                raise ValueError(f"tuning.space: {error}") from error


def capture_of(
    manifest: Mapping[str, Any],
    space: SpaceParams,
    objective: ObjectiveParams,
    student: StudentParams,
) -> Mapping[str, Any]:
    """Return the capture that all trials read; empty where none of them asks a teacher.

    Raises:
        ValueError: There is none to read, or its tokens are not the student's.
    """
    if not (max(space.beta.values or (objective.beta,)) or objective.hidden):
        return {}
    if student.tokenizer:
        raise ValueError(
            "tuning.space: beta may be above 0 but student.tokenizer differs from the teacher's, "
            "so that their tokens cannot be compared: set tuning.space.beta.fixed to 0"
        )
    if manifest.get("source") == "live":
        raise ValueError(
            "a study reads one capture, but distillation.targets.source is live; choose another "
            "source and run capture_targets again"
        )
    return manifest


def with_values(objective: ObjectiveParams, values: Mapping[str, Any]) -> ObjectiveParams:
    """Return the objective with other values, checked."""
    return ObjectiveParams.model_validate({**objective.model_dump(), **values})


def _corners(space: SpaceParams) -> Iterator[dict[str, Any]]:
    names = ("alpha", "beta", "divergence", "temperature")
    kinds = [getattr(space, name).values or (None,) for name in names]
    for chosen in product(*kinds):
        yield {name: value for name, value in zip(names, chosen, strict=True) if value is not None}
