"""One student of a study: what a trial trains, in whichever process it runs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kd_kedro.pipelines.distillation.lessons import Lesson, open_capture, train_one
from kd_kedro.pipelines.distillation.params import ObjectiveParams, StudentParams, TrainingParams
from kd_kedro.pipelines.tuning.params import SpaceParams
from kd_kedro.training.language_model import LanguageModel  # imports nothing heavy

if TYPE_CHECKING:
    from kd_kedro.training.targets import TargetSource


@dataclass
class StudentTrainer:
    """Trains a student with a trial's values, always from the same capture.

    Attributes:
        lesson: Rows and tokenizer.
        student: The student's size.
        training: A trial's budget; its learning rate is the trial's own.
        objective: What is minimised; the trial's values are put into it.
        seed: Of every student, so that trials differ in their values alone.
        manifest: `teacher_targets`.
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
    _targets: "TargetSource | None" = field(default=None, repr=False)

    def __call__(
        self,
        values: Mapping[str, Any],
        name: str,
        work_dir: Path,
        on_evaluation: Callable[[int, float], None],
    ) -> None:
        """Train; `on_evaluation` is told step and validation loss and may raise to end it."""
        import torch

        if self.threads:
            torch.set_num_threads(self.threads)
        goal = {name: value for name, value in values.items() if name != "learning_rate"}
        rate = {"learning_rate": values["learning_rate"]}
        train_one(
            replace(self.lesson, work_dir=work_dir),
            self.student,
            self.training.model_copy(update=rate),
            with_values(self.objective, goal),
            self.targets,
            self.seed,
            name,
            on_evaluation,
        )

    @property
    def targets(self) -> "TargetSource":
        """The capture, opened once in each process."""
        from kd_kedro.training.target_store import open_targets

        if self._targets is None:  # `check` has seen that they belong to rows and teacher
            self._targets = open_targets(self.manifest, self.target_store, {})
        return self._targets

    def __getstate__(self) -> dict[str, Any]:
        # Memory maps do not travel between processes: each opens its own.
        return {**self.__dict__, "_targets": None}

    def check(
        self,
        space: SpaceParams,
        teacher: LanguageModel,
        further_teachers: Mapping[str, LanguageModel],
    ) -> None:
        """Refuse another teacher's capture, and a space with anything it cannot serve.

        Raises:
            ValueError: The message names what differs, or the value.
        """
        from kd_kedro.training.objective import Objective

        if self.manifest.get("source") == "live":
            raise ValueError(
                "a study reads one capture, but distillation.targets.source is live; choose "
                "another source and run capture_targets again"
            )
        targets = open_capture(
            self.lesson, teacher, self.manifest, self.target_store, further_teachers
        )
        beta = max(space.beta.values or (self.objective.beta,))
        for goal in _corners(space):
            try:
                params = with_values(self.objective, goal)
                replace(Objective(**params.model_dump()), beta=beta).check(targets)
            except ValueError as error:
                raise ValueError(f"tuning.space: {error}") from error


def with_values(objective: ObjectiveParams, values: Mapping[str, Any]) -> ObjectiveParams:
    """Return the objective with other values, checked."""
    return ObjectiveParams.model_validate({**objective.model_dump(), **values})


def _corners(space: SpaceParams) -> Iterator[dict[str, Any]]:
    names = ("divergence", "temperature")
    kinds = [getattr(space, name).values or (None,) for name in names]
    for chosen in product(*kinds):
        yield {name: value for name, value in zip(names, chosen, strict=True) if value is not None}
