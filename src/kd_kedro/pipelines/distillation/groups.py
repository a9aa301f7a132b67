"""The parameters of the distillation pipeline together: what one group asks of another."""

from pydantic import BaseModel, model_validator

from kd_kedro.pipelines.distillation.comparison_params import ControlParams, SeedParams
from kd_kedro.pipelines.distillation.params import (
    CONFIG,
    EnsembleParams,
    ExampleParams,
    ObjectiveParams,
    OnPolicyParams,
    SequenceLevelParams,
    Source,
    StudentParams,
    TargetParams,
    TeacherParams,
    TokenizerParams,
    TrainingParams,
)


class DistillationParams(BaseModel):
    """All groups together: what one asks of another is checked before anything runs."""

    model_config = CONFIG

    examples: ExampleParams
    tokenizer: TokenizerParams
    teacher: TeacherParams
    ensemble: EnsembleParams
    sequence_level: SequenceLevelParams
    targets: TargetParams
    student: StudentParams
    training: TrainingParams
    objective: ObjectiveParams
    on_policy: OnPolicyParams
    seeds: SeedParams
    controls: ControlParams

    @model_validator(mode="after")
    def _groups_fit(self) -> "DistillationParams":
        for conflict in (
            self._ensemble_conflict(),
            self._controls_conflict(),
            self._capture_conflict(),
            self._objective_conflict(),
            self._on_policy_conflict(),
            self._tokenizer_conflict(),
            self._teaching_conflict(),
            self._layers_conflict(),
            self._answers_conflict(),
        ):
            if conflict:
                raise ValueError(conflict)
        return self

    def _ensemble_conflict(self) -> str:
        if self.ensemble.seeds and not self.teacher.fine_tune:
            return "ensemble.seeds are given but teacher.fine_tune is false: all would be the same"
        if len({self.teacher.seed, *self.ensemble.seeds}) <= len(self.ensemble.seeds):
            return "ensemble.seeds and teacher.seed must all differ"
        return ""

    def _controls_conflict(self) -> str:
        if self.controls.teacher_seed == self.teacher.seed:
            return "controls.teacher_seed is that of the teacher: name another, or null for none"
        return ""

    def _capture_conflict(self) -> str:
        targets = self.targets
        if targets.source == "sampled" and len(targets.temperatures) > 1:
            return "targets.temperatures: sampled targets are drawn at one temperature; name one"
        if targets.hidden and self.ensemble.shares:
            return "targets.hidden: several teachers share no hidden states; set it to false"
        if (
            targets.source in ("sampled", "top_k")
            and not self.tokenizer.pretrained
            and targets.k >= self.tokenizer.vocabulary
        ):
            return (
                f"targets.k is {targets.k} but tokenizer.vocabulary {self.tokenizer.vocabulary}: "
                "use a smaller k or targets.source dense"
            )
        return ""

    def _objective_conflict(self) -> str:
        objective, targets = self.objective, self.targets
        if objective.beta and not serves(targets.source, objective.divergence):
            return (
                f"objective.divergence is {objective.divergence}, which targets.source "
                f"{targets.source} cannot give exactly: top_k serves the bucketed_ ones, sampled "
                "forward_kl, dense and live all others"
            )
        if (
            objective.beta
            and targets.source in ("top_k", "sampled")
            and objective.temperature not in targets.temperatures
        ):
            return (
                f"objective.temperature is {objective.temperature:g}, which targets.temperatures "
                f"lack ({', '.join(f'{value:g}' for value in targets.temperatures)}): add it"
            )
        if objective.hidden and self.ensemble.shares:
            return "objective.hidden: several teachers share no hidden states; set it to 0"
        if objective.hidden and not (targets.hidden or targets.source == "live"):
            return "objective.hidden is above 0 but targets.hidden is false: set it to true"
        return ""

    def _on_policy_conflict(self) -> str:
        if not self.on_policy.share:
            return ""
        if self.training.strategy == "fsdp":
            return (
                "on_policy.share is above 0 but training.strategy is fsdp: a student whose weights "
                "lie in shards cannot sample answers; use ddp"
            )
        if not self.objective.beta:
            return "on_policy.share is above 0 but objective.beta is 0: the teacher is not asked"
        if not serves("live", self.objective.divergence):
            return (
                f"on_policy.share is above 0, which asks the teacher itself, but "
                f"objective.divergence is {self.objective.divergence}: use one without bucketed_, "
                "with targets.source live or dense"
            )
        return ""

    def _tokenizer_conflict(self) -> str:
        if self.student.tokenizer and self.objective.asks_teacher:
            return (
                "student.tokenizer differs from the teacher's, so that their tokens cannot be "
                "compared: set objective.beta and objective.hidden to 0 and "
                "sequence_level.source to teacher, and targets.source to live, which captures "
                "nothing"
            )
        return ""

    def _teaching_conflict(self) -> str:
        answers = self.sequence_level.source != "none"
        if self.objective.asks_teacher or answers or self.student.copy_layers:
            return ""
        return (
            "the student would learn nothing from a teacher: set objective.beta or "
            "objective.hidden above 0, sequence_level.source to teacher or generator, or "
            "student.copy_layers"
        )

    def _layers_conflict(self) -> str:
        layers = self.teacher.architecture.layers
        missing = [number for number in self.student.copy_layers if number >= layers]
        if self.teacher.pretrained or not missing:
            return ""
        return (
            f"student.copy_layers has {missing[0]}, but the teacher's layers are 0 to "
            f"{layers - 1} (teacher.architecture.layers)"
        )

    def _answers_conflict(self) -> str:
        longest, room = self.sequence_level.max_new_tokens, self.examples.max_length
        if self.sequence_level.source != "teacher" or longest < room:
            return ""
        return (
            f"sequence_level.max_new_tokens is {longest} and examples.max_length {room}, prompt "
            "and answer together: no room is left for a question; lower the first or raise the "
            "second"
        )


def serves(source: Source, divergence: str) -> bool:
    """Say whether targets of a source give a divergence exactly, as `training` has it."""
    if source == "sampled":
        return divergence == "forward_kl"
    return divergence.startswith("bucketed_") == (source == "top_k")
