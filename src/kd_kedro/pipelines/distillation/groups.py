"""The parameters of the distillation pipeline together: what one group asks of another."""

from typing import Any

from pydantic import BaseModel, ValidationError, model_validator

from kd_kedro.models.pruning.shape import Heads, Shape, shape_defect, wanted_shape
from kd_kedro.pipelines.distillation.params import (
    CONFIG,
    ControlParams,
    EnsembleParams,
    ExampleParams,
    SeedParams,
    SequenceLevelParams,
    StudentParams,
    TeacherParams,
    TokenizerParams,
)
from kd_kedro.training.loop.training_config import ObjectiveConfig, OnPolicyConfig, TrainingConfig
from kd_kedro.training.teacher.capture_config import CaptureConfig, serves, unserved


def inherit_training(values: Any) -> Any:
    """Return plain values in which `teacher.training` has what it left out from `training`."""
    try:
        teacher = {"training": {}, **values["teacher"]}
        whole = {**values["training"], **teacher["training"]}
    except (TypeError, KeyError):  # a group is absent or no group: its own model refuses it
        return values
    return {**values, "teacher": {**teacher, "training": whole}}


def decide_capture(values: Any) -> Any:
    """Return plain values in which what `targets` leaves open follows `objective`.

    So the capture knows whether anything is asked for, and hidden states among it, and not what:
    another weight changes nothing.
    """
    try:
        targets, asked = values["targets"], ObjectiveConfig.model_validate(values["objective"])
        given = {name: value for name, value in targets.items() if value is not None}
    except (TypeError, KeyError, AttributeError, ValidationError):  # its own model refuses it
        return values
    decided = {"capture": asked.asks_teacher, "hidden_states": asked.hidden_state_weight > 0}
    return {**values, "targets": {**targets, **decided, **given}}


class DistillationParams(BaseModel):
    """All groups together: what one asks of another is checked before anything runs."""

    model_config = CONFIG

    examples: ExampleParams
    tokenizer: TokenizerParams
    # Before the teacher, which inherits it: a bad value is then blamed on this group.
    training: TrainingConfig
    teacher: TeacherParams
    ensemble: EnsembleParams
    sequence_level: SequenceLevelParams
    targets: CaptureConfig
    student: StudentParams
    objective: ObjectiveConfig
    on_policy: OnPolicyConfig
    seeds: SeedParams
    controls: ControlParams

    _teacher_inherits = model_validator(mode="before")(inherit_training)
    _capture_follows = model_validator(mode="before")(decide_capture)

    @model_validator(mode="after")
    def _groups_fit(self) -> "DistillationParams":
        for conflict in (
            self._served_conflict(),
            self._ensemble_conflict(),
            self._controls_conflict(),
            self._objective_conflict(),
            self._capture_conflict(),
            self._on_policy_conflict(),
            self._tokenizer_conflict(),
            self._teaching_conflict(),
            self._layers_conflict(),
            self._answers_conflict(),
        ):
            if conflict:
                raise ValueError(conflict)
        return self

    def _served_conflict(self) -> str:
        """Return what a teacher behind a server, of whom there are no weights, cannot do."""
        if not self.teacher.served:
            return ""
        served, student = "but teacher.served is true:", self.student
        captures = self.targets.capture is not False
        part = "copy_layers" if student.copy_layers else "from_teacher"
        conflicts = {
            f"tokenizer.pretrained is empty, {served} name the tokenizer of the server's model, "
            "whose tokens students must read": not self.tokenizer.pretrained,
            unserved(self.targets): captures,
            f"ensemble names other teachers, {served} a server's probabilities are averaged with "
            "none": bool(self.ensemble.shares),
            f"student.{part} makes students of the teacher's weights, {served} a server gives "
            "none; set it to null, and student.pretrained or student.architecture": (
                student.starts_as_teacher
            ),
            f"on_policy.share is above 0, so that the teacher judges at every step, {served} a "
            "server is asked once, at capture; set it to 0": self.on_policy.share > 0,
            f"sequence_level.source is teacher, {served} let the server write answers as "
            "text_generator of the catalog (--env server), with source generator": (
                self.sequence_level.source == "teacher"
            ),
            f"controls.patient is {self.controls.patient}, {served} what a server computes is not "
            "known; set it to none": self.controls.patient != "none",
        }
        return next((said for said, holds in conflicts.items() if said and holds), "")

    def _ensemble_conflict(self) -> str:
        if self.ensemble.seeds and not self.teacher.fine_tune:
            return "ensemble.seeds are given but teacher.fine_tune is false: all would be the same"
        if len({self.teacher.seed, *self.ensemble.seeds}) <= len(self.ensemble.seeds):
            return "ensemble.seeds and teacher.seed must all differ"
        return ""

    def _controls_conflict(self) -> str:
        if self.controls.teacher_seed == self.teacher.seed:
            return "controls.teacher_seed is that of the teacher: name another, or null for none"
        if "counted" in self.controls.patient_accounts and not self.teacher.fine_tune:
            return (
                f"controls.patient is {self.controls.patient} but teacher.fine_tune is false: the "
                "run trains no teacher, so there is no training to count; set it to given"
            )
        return ""

    def _capture_conflict(self) -> str:
        targets = self.targets
        if self.objective.asks_teacher and targets.capture is False:
            return (
                "targets.capture is false but objective.beta or objective.hidden_state_weight is "
                "above 0, which asks for targets: set it to null"
            )
        if targets.hidden_states and self.ensemble.shares:
            return "targets.hidden_states: several teachers share no hidden states; set it to false"
        if (
            targets.source == "top_k"
            and not self.tokenizer.pretrained
            and targets.k >= self.tokenizer.vocab_size
        ):
            return (
                f"targets.k is {targets.k} but tokenizer.vocab_size {self.tokenizer.vocab_size}: "
                "use a smaller k or targets.source dense"
            )
        return ""

    def _objective_conflict(self) -> str:
        objective, targets = self.objective, self.targets
        if objective.beta and objective.divergence not in serves(targets.source):
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
        if objective.hidden_state_weight and self.ensemble.shares:
            return (
                "objective.hidden_state_weight: several teachers share no hidden states; set it "
                "to 0"
            )
        if objective.hidden_state_weight and not (
            targets.hidden_states or targets.source == "live"
        ):
            return (
                "objective.hidden_state_weight is above 0 but targets.hidden_states is false: set "
                "it to null, or the weight to 0"
            )
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
            return (
                "on_policy.share is above 0 but objective.beta is 0: the teacher would not judge "
                "what the student samples"
            )
        if self.objective.divergence not in serves("live"):
            return (
                f"on_policy.share is above 0, which asks the teacher itself, but "
                f"objective.divergence is {self.objective.divergence}: use one without bucketed_, "
                "with targets.source live or dense"
            )
        return ""

    def _tokenizer_conflict(self) -> str:
        if self.student.tokenizer and self.objective.asks_teacher:
            return (
                "student.tokenizer is set, so that its tokens cannot be compared with the "
                "teacher's: set objective.beta and objective.hidden_state_weight to 0 and "
                "sequence_level.source to teacher"
            )
        return ""

    def _teaching_conflict(self) -> str:
        answers = self.sequence_level.source != "none"
        if self.objective.asks_teacher or answers or self.student.starts_as_teacher:
            return ""
        return (
            "the student would learn nothing from a teacher: set objective.beta or "
            "objective.hidden_state_weight above 0, sequence_level.source to teacher or "
            "generator, student.copy_layers or student.from_teacher"
        )

    def _layers_conflict(self) -> str:
        made, cut = self.teacher.architecture, self.student.from_teacher
        if cut.budget[0] and not self.examples.validation_rows:
            return (
                "student.from_teacher has a budget, whose shapes are compared on validation rows, "
                "but examples.validation_rows is 0: give more, or sizes in place of the budget"
            )
        if (
            self.teacher.pretrained or self.teacher.served
        ):  # its shape is held against the student's before the run
            return ""
        layers = made.num_hidden_layers
        missing = [number for number in self.student.copy_layers if number >= layers]
        if missing:
            return (
                f"student.copy_layers has {missing[0]}, but the teacher's layers are 0 to "
                f"{layers - 1} (teacher.architecture.num_hidden_layers)"
            )
        if not cut.cuts:
            return ""
        heads = made.num_attention_heads
        present = Shape(layers, made.hidden_size, heads, 4 * made.hidden_size)
        each = Heads(heads, heads, made.hidden_size // heads)
        defect = shape_defect(wanted_shape(cut, present), present, each, tied_width=True)
        return defect and f"student.from_teacher.{defect} (teacher.architecture)"

    def _answers_conflict(self) -> str:
        longest, budget = self.sequence_level.max_new_tokens, self.examples.max_length
        if self.sequence_level.source != "teacher" or longest < budget:
            return ""
        return (
            f"sequence_level.max_new_tokens is {longest} and examples.max_length {budget}, prompt "
            "and answer together: nothing is left for a question; lower the first or raise the "
            "second"
        )
