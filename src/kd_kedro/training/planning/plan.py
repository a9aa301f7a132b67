"""What a distillation will cost: plain numbers, and when a capture pays off.

`probe` measures them; nothing here touches a model.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from kd_kedro.training.planning.compute import FORWARD, TRAINING, Compute

Figures = dict[str, Any]
CHECKPOINTS = 3  # the best, the last and the one that is being written


@dataclass(frozen=True)
class Rates:
    """Seconds of what a training consists of.

    Attributes:
        start: What comes once, whatever the number of steps.
        batch: Forward and backward pass of a batch of mean length.
        update: A step of the optimiser, and the loop around it.
        evaluation: An evaluation of all validation rows.
        checkpoint: Writing one checkpoint.
    """

    start: float
    batch: float
    update: float
    evaluation: float
    checkpoint: float


@dataclass(frozen=True)
class TrainingCost:
    """The cost of one training at most: early stopping may end it sooner.

    Attributes:
        name: Name of the model that is trained.
        steps: Optimiser steps.
        epochs: Passes over the rows.
        accumulation: Batches of one step.
        evaluations: Number of times that the validation rows are scored.
        checkpoints: Number of checkpoints written.
        rates: Seconds of each.
        memory: Peak, bytes: of the GPU where there is one, else of the process.
        checkpoint_bytes: One checkpoint.
        model_bytes: The weights and tokenizer it leaves.
        parameters: The model's parameters.
        tokens: Tokens read, padding left out.
    """

    name: str
    steps: int
    epochs: float
    accumulation: int
    evaluations: int
    checkpoints: int
    rates: Rates
    memory: int
    checkpoint_bytes: int
    model_bytes: int
    parameters: int
    tokens: float

    @property
    def flops(self) -> float:
        """Floating-point operations of the training."""
        return TRAINING * self.parameters * self.tokens

    @property
    def step_seconds(self) -> float:
        """Of one optimiser step."""
        return self.accumulation * self.rates.batch + self.rates.update

    @property
    def epoch_seconds(self) -> float:
        """Of one pass over the rows, without evaluations and checkpoints."""
        return self.step_seconds * self.steps / self.epochs if self.steps else 0.0

    @property
    def seconds(self) -> float:
        """Of the whole training."""
        scored = self.evaluations * self.rates.evaluation
        written = self.checkpoints * self.rates.checkpoint
        return self.rates.start + self.steps * self.step_seconds + scored + written


@dataclass(frozen=True)
class CaptureCost:
    """The cost of capturing the teacher's targets.

    Attributes:
        rows: Training rows.
        answer_tokens: Theirs.
        seconds: Seconds of the whole capture.
        memory: Peak bytes, as in `TrainingCost`.
        bytes: Bytes of the target store.
        parameters: Parameters of all teachers together.
        tokens: Tokens that each of them reads.
    """

    rows: int
    answer_tokens: int
    seconds: float
    memory: int
    bytes: int
    parameters: int
    tokens: int

    @property
    def flops(self) -> float:
        """Floating-point operations of the capture."""
        return FORWARD * self.parameters * self.tokens


@dataclass(frozen=True)
class Plan:
    """What the distillation pipeline will cost.

    Attributes:
        tokenizer_seconds: Seconds of making or loading the tokenizer.
        teacher: Fine-tuning the teacher; no steps where it is taken as it is.
        capture: Capturing the teacher's targets.
        baseline: Training the student's twin without a teacher.
        student: Training a student that reads the capture.
        live: Training the same student with a live teacher; None where the objective asks none.
        start_seconds: Making what students begin as; 0 where that is no part of the teacher.
        candidates: Shapes within a budget, of which a run takes the best: sizes, `parameters`,
            `parameters_share`, `bytes`, `latency_ms`, `latency_share`. The largest is planned.
        further_seeds: Number of times that baseline and student are trained again.
        ensemble_teachers: Number of teachers fine-tuned besides the first one.
        ensemble_members: How many of them teach too: the rest are compared with alone.
        pretrained_teacher: Whether the teacher is kept as it came too.
        untaught_starts: Number of trainings of the student's start without a teacher.
        patient_accounts: Of a baseline that is trained with the whole compute: by which accounts.
        asks_live: Whether students will ask the teacher live; `capture` and `student` then say
            what a cache would cost that serves the same.
        captures: Whether targets are captured: not where students ask live, or for none.
        not_counted: What the figures leave out, in words.
        length_notes: What a run would say of rows that are too long, in words.
        device: `cpu` or `cuda`.
    """

    tokenizer_seconds: float
    teacher: TrainingCost
    capture: CaptureCost
    baseline: TrainingCost
    student: TrainingCost
    live: TrainingCost | None
    further_seeds: int
    device: str
    start_seconds: float = 0.0
    candidates: tuple[Figures, ...] = ()
    ensemble_teachers: int = 0
    ensemble_members: int = 0
    pretrained_teacher: bool = False
    untaught_starts: int = 0
    patient_accounts: tuple[str, ...] = ()
    asks_live: bool = False
    captures: bool = True
    not_counted: tuple[str, ...] = ()
    length_notes: tuple[str, ...] = ()

    @property
    def taught(self) -> TrainingCost:
        """The student as it will be trained."""
        return self.live if self.asks_live and self.live else self.student

    @property
    def trainings(self) -> tuple[TrainingCost, TrainingCost, TrainingCost]:
        """Teacher, baseline and student."""
        return self.teacher, self.baseline, self.taught

    @property
    def further_seconds(self) -> float:
        """Of the further seeds: a baseline and a student each."""
        return self.further_seeds * (self.baseline.seconds + self.taught.seconds)

    @property
    def untaught_seconds(self) -> float:
        """Of the trainings of the student's start without a teacher: a baseline's each."""
        return self.untaught_starts * self.baseline.seconds

    @property
    def asking_flops(self) -> float:
        """Of asking the teachers: at every token of the student's training, or at capture."""
        if self.live is None:
            return 0.0
        if self.asks_live:
            return FORWARD * self.capture.parameters * self.student.tokens
        return self.capture.flops

    @property
    def patient_tokens(self) -> dict[str, float]:
        """Tokens that a baseline would read with the compute of the whole distillation."""
        taught = self.teacher.flops * (1 + self.ensemble_members)
        compute = Compute(self.student.tokens, self.asking_flops, taught)
        return compute.patient_tokens(self.student.parameters)

    @property
    def patient_seconds(self) -> float:
        """Of the baselines that are trained with the whole compute."""
        start = self.baseline.rates.start
        a_token = (self.baseline.seconds - start) / self.baseline.tokens
        read = [self.patient_tokens[account] for account in self.patient_accounts]
        return (1 + self.further_seeds) * sum(start + tokens * a_token for tokens in read)

    @property
    def seconds(self) -> float:
        """Of the whole pipeline, at most."""
        trained = sum(each.seconds for each in self.trainings)
        trained += self.ensemble_teachers * self.teacher.seconds + self.further_seconds
        trained += self.untaught_seconds + self.patient_seconds + self.start_seconds
        return self.tokenizer_seconds + trained + (self.capture.seconds if self.captures else 0)

    @property
    def memory(self) -> int:
        """Peak of the whole pipeline, bytes."""
        captured = self.capture.memory if self.captures else 0
        return max(captured, *(each.memory for each in self.trainings))

    @property
    def model_bytes(self) -> int:
        """Of all models that the pipeline leaves."""
        pair = self.baseline.model_bytes + self.student.model_bytes
        teachers = self.teacher.model_bytes * (1 + self.ensemble_teachers + self.pretrained_teacher)
        untrained = self.student.model_bytes
        starts = self.untaught_starts * self.baseline.model_bytes + self.start_bytes
        patient = len(self.patient_accounts) * self.baseline.model_bytes
        return teachers + untrained + starts + (pair + patient) * (1 + self.further_seeds)

    @property
    def start_bytes(self) -> int:
        """Of what students begin as, where that is a part of the teacher."""
        return self.student.model_bytes if self.start_seconds else 0

    @property
    def checkpoint_bytes(self) -> int:
        """Of all checkpoints that lie there at one time; a training removes its own."""
        return CHECKPOINTS * max(each.checkpoint_bytes for each in self.trainings)

    @property
    def disk(self) -> int:
        """Target store, models and checkpoints, bytes."""
        stored = self.capture.bytes if self.captures else 0
        return stored + self.model_bytes + self.checkpoint_bytes

    @property
    def break_even(self) -> float:
        """After how many epochs of a student capture and cache have cost less than asking live."""
        if self.live is None:
            return math.inf
        return break_even_epochs(
            self.capture.seconds, self.student.epoch_seconds, self.live.epoch_seconds
        )

    def figures(self) -> dict[str, Any]:
        """Return all numbers as plain JSON values; what never pays off is null."""
        epochs = self.break_even if math.isfinite(self.break_even) else None
        return {
            **asdict(self),
            "seconds": self.seconds,
            "seconds_of": {
                "tokenizer": self.tokenizer_seconds,
                "teacher": self.teacher.seconds,
                "start": self.start_seconds,
                "capture": self.capture.seconds,
                "baseline": self.baseline.seconds,
                "student": self.taught.seconds,
                "further_seeds": self.further_seconds,
                "untaught_starts": self.untaught_seconds,
                "patient": self.patient_seconds,
                "ensemble_teachers": self.ensemble_teachers * self.teacher.seconds,
            },
            "flops_of": {
                "teacher": self.teacher.flops,
                "asking": self.asking_flops,
                "baseline": self.baseline.flops,
                "student": self.student.flops,
            },
            "patient_tokens": self.patient_tokens,
            "memory": self.memory,
            "disk": self.disk,
            "model_bytes": self.model_bytes,
            "checkpoint_bytes": self.checkpoint_bytes,
            "break_even_epochs": epochs,
            "break_even_students": epochs and math.ceil(epochs / self.student.epochs),
            "conclusion": self.conclusion(),
        }

    def patience(self) -> str:
        """Return in one sentence what plain training would read for the same compute."""
        tokens = self.patient_tokens
        told = f"{count(tokens['given'])} tokens"
        if "counted" in tokens:
            told += f", {count(tokens['counted'])} with the teacher's training counted"
        return (
            "With the compute of the whole distillation, plain training of the baseline would read "
            f"{told}; the student reads {count(self.student.tokens)} "
            "(distillation.controls.patient trains such a twin)."
        )

    def conclusion(self) -> str:
        """Return in one sentence whether to capture."""
        if self.live is None:
            use = (
                "the capture is of no use to this student"
                if self.captures
                else "nothing is captured"
            )
            return f"The objective asks no teacher: {use}."
        saved = self.live.epoch_seconds - self.student.epoch_seconds
        if saved <= 0:
            return "The capture never pays off: asking the teacher live takes no longer."
        students = 1 + self.further_seeds
        advice = "Capture now" if not self.asks_live else "Capture, with targets.source dense"
        if self.break_even <= self.student.epochs:
            when = f"from epoch {math.ceil(self.break_even)} of the first student on"
            return f"{advice}: it pays off {when}, of {self.student.epochs:.1f} epochs planned."
        needed = math.ceil(self.break_even / self.student.epochs)
        if needed <= students:
            return f"{advice}: it pays off with student {needed} of {students} planned."
        return (
            f"The capture pays off with {needed} students; {students} planned: asking the teacher "
            "live would be faster."
        )


def break_even_epochs(capture: float, cached_epoch: float, live_epoch: float) -> float:
    """Return after how many epochs a capture is paid for; infinite where it never is.

    Args:
        capture: Seconds of the capture.
        cached_epoch: Seconds of a student's epoch from the cache.
        live_epoch: Seconds of the same epoch with a live teacher.
    """
    saved = live_epoch - cached_epoch
    return capture / saved if saved > 0 else math.inf


def cost_lines(plan: Plan) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield the lines of a plan: part, steps, FLOPs, time, peak memory, disk."""
    yield "tokenizer", "", "", duration(plan.tokenizer_seconds), "", ""
    yield _line(plan.teacher)
    if plan.ensemble_teachers:
        time = duration(plan.ensemble_teachers * plan.teacher.seconds)
        disk = size(plan.ensemble_teachers * plan.teacher.model_bytes)
        several = "s" if plan.ensemble_teachers > 1 else ""
        flops = count(plan.ensemble_teachers * plan.teacher.flops)
        yield f"{plan.ensemble_teachers} further teacher{several}", "", flops, time, "", disk
    if plan.pretrained_teacher:
        yield "the teacher as it came", "", "", "", "", size(plan.teacher.model_bytes)
    capture = plan.capture
    stored = f"{size(capture.bytes)} ({capture.bytes / capture.answer_tokens:.0f} B a token)"
    memory = size(capture.memory)
    name = "teacher targets" if plan.captures else "teacher targets, if captured"
    time = duration(capture.seconds)
    yield name, f"{capture.rows} rows", count(capture.flops), time, memory, stored
    if plan.start_seconds:
        shapes = len(plan.candidates)
        work = f"{shapes} shape{'s' * (shapes > 1)}" if shapes else ""
        yield "students' start", work, "", duration(plan.start_seconds), "", size(plan.start_bytes)
    yield _line(plan.baseline)
    yield _line(plan.taught)
    if plan.further_seeds:
        several = "s" if plan.further_seeds > 1 else ""
        name = f"both with {plan.further_seeds} further seed{several}"
        disk = size(plan.further_seeds * (plan.baseline.model_bytes + plan.student.model_bytes))
        flops = count(plan.further_seeds * (plan.baseline.flops + plan.taught.flops))
        yield name, "", flops, duration(plan.further_seconds), "", disk
    if plan.untaught_starts:
        disk = size(plan.untaught_starts * plan.baseline.model_bytes)
        flops = count(plan.untaught_starts * plan.baseline.flops)
        yield "starts without a teacher", "", flops, duration(plan.untaught_seconds), "", disk
    if plan.patient_accounts:
        twins = len(plan.patient_accounts) * (1 + plan.further_seeds)
        disk = size(twins * plan.baseline.model_bytes)
        yield "patient twins", "", "", duration(plan.patient_seconds), "", disk
    yield "checkpoints, while it trains", "", "", "", "", size(plan.checkpoint_bytes)
    yield "all", "", "", duration(plan.seconds), size(plan.memory), size(plan.disk)


def candidate_lines(plan: Plan) -> Iterator[tuple[str, ...]]:
    """Yield the shapes within a budget: sizes, parameters, bytes, latency."""
    for each in plan.candidates:
        sizes = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
        share, slow = (f"{100 * each[f'{name}_share']:.0f} %" for name in ("parameters", "latency"))
        yield (
            *(str(each[name]) for name in sizes),
            f"{each['parameters']:,} ({share})",
            size(each["bytes"]),
            f"{each['latency_ms']:.3g} ms ({slow})",
        )


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def count(number: float) -> str:
    """Return a large number, of tokens or FLOPs, as people say it."""
    for unit in ("", " k", " M", " G", " T"):
        if number < 1000:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g} P"


def _line(cost: TrainingCost) -> tuple[str, str, str, str, str, str]:
    steps = f"{cost.steps} steps" if cost.steps else "as it is"
    disk = size(cost.model_bytes)
    return cost.name, steps, count(cost.flops), duration(cost.seconds), size(cost.memory), disk
