"""What the distillation pipeline will cost, from a probe of each of its parts."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm import tqdm

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.pipelines.distillation.comparison_params import ControlParams, SeedParams
from kd_kedro.pipelines.distillation.examples import encode_rows
from kd_kedro.pipelines.distillation.lessons import (
    Lesson,
    baseline_lesson,
    live_teacher,
    make_lesson,
)
from kd_kedro.pipelines.distillation.models import make_model, make_student
from kd_kedro.pipelines.distillation.nodes import train_tokenizer
from kd_kedro.pipelines.distillation.params import (
    EnsembleParams,
    ExampleParams,
    ObjectiveParams,
    OnPolicyParams,
    SequenceLevelParams,
    StudentParams,
    TargetParams,
    TeacherParams,
    TokenizerParams,
    TrainingParams,
)

if TYPE_CHECKING:
    from kd_kedro.training.loop.objective import Objective
    from kd_kedro.training.loop.train import TrainingSettings
    from kd_kedro.training.planning.plan import CaptureCost, Plan, TrainingCost
    from kd_kedro.training.planning.probe import Rows
    from kd_kedro.training.teacher.signals import TargetSource
    from kd_kedro.training.teacher.store import Teachers

# The arguments of `plan_distillation` that are groups of parameters.
GROUPS = (
    "examples",
    "tokenizer",
    "teacher",
    "ensemble",
    "sequence_level",
    "targets",
    "student",
    "training",
    "objective",
    "on_policy",
    "seeds",
    "controls",
)


def plan_distillation(
    augmented_qa: pd.DataFrame,
    examples: ExampleParams,
    tokenizer: TokenizerParams,
    teacher: TeacherParams,
    ensemble: EnsembleParams,
    sequence_level: SequenceLevelParams,
    targets: TargetParams,
    student: StudentParams,
    training: TrainingParams,
    objective: ObjectiveParams,
    on_policy: OnPolicyParams,
    seeds: SeedParams,
    controls: ControlParams,
) -> "Plan":
    """Probe every part of the distillation pipeline and return what all of it will cost.

    Nothing has to be trained beforehand: random weights cost the same time. What the probe writes
    lies in a temporary folder and is gone afterwards.

    Raises:
        OSError: If a pretrained model or tokenizer cannot be had.
        ValueError: Of rows or settings that the pipeline would refuse.
    """
    from kd_kedro.training.loop.objective import Objective
    from kd_kedro.training.planning.plan import Plan
    from kd_kedro.training.planning.probe import training_batches

    goal = Objective(**objective.model_dump())
    second = teacher.fine_tune and controls.teacher_seed is not None
    with tempfile.TemporaryDirectory(prefix="distill-plan-") as folder, _progress() as part:
        part("teacher")
        start = time.perf_counter()
        made = train_tokenizer(augmented_qa, examples, tokenizer)
        tokenizer_seconds = time.perf_counter() - start
        sheet = _sheet(make_lesson(augmented_qa, made, examples, Path(folder)))
        taught, teacher_cost = _teacher(sheet, teacher)

        part("targets")
        settings = _alone(training)
        batches = training_batches(sheet.rows, settings, seeds.first)
        teachers = _teachers(sheet, taught, teacher, ensemble)
        capture = _capture(sheet, teachers, targets, goal, batches)
        own, probed = sheet, capture.probed
        if student.tokenizer:
            lesson = baseline_lesson(augmented_qa, made, taught, examples, student, Path(folder))
            own = _sheet(lesson)
            probed = training_batches(own.rows, settings, seeds.first)

        def cost(name: str, goal: "Objective", source: "TargetSource | None") -> "TrainingCost":
            part(name)
            make = partial(
                make_student,
                student,
                own.lesson.tokenizer,
                examples.max_length,
                seeds.first,
                taught,
                name != "baseline",
            )
            return _training(own, make, settings, seeds.first, goal, source, probed, name)[1]

        baseline = cost("baseline", Objective(), None)
        cached = cost("student", goal, capture.cached)
        live = cost("live teacher", _unbucketed(goal), capture.live) if goal.asks_teacher else None
        return Plan(
            tokenizer_seconds=tokenizer_seconds,
            teacher=teacher_cost,
            capture=capture.cost,
            baseline=baseline,
            student=replace(
                _later(cached, capture.identity_seconds),
                # By the end of an epoch the whole store has been read through its memory map.
                memory=cached.memory + (0 if sheet.cuda else capture.cost.bytes),
            ),
            live=live,
            further_seeds=seeds.count - 1,
            device="cuda" if sheet.cuda else "cpu",
            further_teachers=len(ensemble.seeds) + bool(second),
            asks_live=targets.source == "live",
            not_counted=tuple(_not_counted(teacher, training, sequence_level, on_policy)),
        )


@dataclass(frozen=True)
class _Sheet:
    """The rows as every training gets them, and how long that takes."""

    lesson: Lesson
    rows: "Rows"
    validation: "Rows"
    seconds: float
    cuda: bool

    @property
    def tokenizer_bytes(self) -> int:
        """Of the tokenizer.json that lies beside every model."""
        return len(self.lesson.tokenizer.backend_tokenizer.to_str(pretty=True).encode())


@dataclass(frozen=True)
class _Captured:
    """What the students' probes read, and what it cost."""

    cost: "CaptureCost"
    identity_seconds: float
    cached: "TargetSource"
    live: "TargetSource"
    probed: "list[Rows]"


def _alone(training: TrainingParams) -> "TrainingSettings":
    """Return the settings of one process: a training that is watched runs in one."""
    from kd_kedro.training.loop.train import TrainingSettings

    one = {"num_processes": 1, "strategy": "ddp", "nodes": 1, "rendezvous": ""}
    return TrainingSettings(**training.model_dump() | one)


def _not_counted(
    teacher: TeacherParams,
    training: TrainingParams,
    sequence_level: SequenceLevelParams,
    on_policy: OnPolicyParams,
) -> Iterator[str]:
    if sequence_level.source != "none":
        yield "the answers that a teacher writes (sequence_level), and students' time on them"
    if on_policy.share:
        yield "the answers that a student samples, and what its teacher says of them (on_policy)"
    trainings = [training, *([teacher.training] if teacher.fine_tune else [])]
    if any(each.num_processes * each.nodes > 1 for each in trainings):
        yield "further processes (num_processes, nodes): time and memory are those of one alone"


def _sheet(lesson: Lesson) -> _Sheet:
    import torch

    start = time.perf_counter()
    rows = encode_rows(lesson.rows, lesson.tokenizer, lesson.max_length)
    validation = encode_rows(lesson.validation, lesson.tokenizer, lesson.max_length)
    seconds = time.perf_counter() - start
    return _Sheet(lesson, rows, validation, seconds, torch.cuda.is_available())


def _teacher(sheet: _Sheet, params: TeacherParams) -> tuple[LanguageModel, "TrainingCost"]:
    from kd_kedro.training.loop.objective import Objective
    from kd_kedro.training.planning.plan import Rates, TrainingCost
    from kd_kedro.training.planning.probe import PeakMemory, training_batches, weight_bytes

    make = partial(
        make_model,
        params,
        sheet.lesson.tokenizer,
        sheet.lesson.max_length,
        params.seed,
        "distillation.teacher",
        params.dtype,
    )
    if params.fine_tune:
        settings = _alone(params.training)
        probed = training_batches(sheet.rows, settings, params.seed)
        model, cost = _training(
            sheet, make, settings, params.seed, Objective(), None, probed, "teacher"
        )
    else:
        peak, start = PeakMemory(), time.perf_counter()
        model = make()
        rates = Rates(time.perf_counter() - start, 0.0, 0.0, 0.0, 0.0)
        saved = weight_bytes(model) + sheet.tokenizer_bytes
        cost = TrainingCost("teacher", 0, 0.0, 1, 0, 0, rates, peak.bytes(), 0, saved)
    # A run reads the saved teacher onto the GPU where there is one.
    model = model.to("cuda" if sheet.cuda else "cpu").eval()
    return LanguageModel(model, sheet.lesson.tokenizer, {}), cost


def _teachers(
    sheet: _Sheet, first: LanguageModel, params: TeacherParams, ensemble: EnsembleParams
) -> "Teachers":
    """Return all teachers with their shares; one that has the first one's size stands for it."""
    models = [first] * len(ensemble.seeds)
    for number, name in enumerate(ensemble.pretrained):
        own = params.model_copy(update={"pretrained": name})
        key = f"distillation.ensemble.pretrained.{number}"
        lesson = sheet.lesson
        model = make_model(own, lesson.tokenizer, lesson.max_length, params.seed, key, params.dtype)
        model = model.to("cuda" if sheet.cuda else "cpu").eval()
        models.append(LanguageModel(model, sheet.lesson.tokenizer, {}))
    shares = ensemble.shares
    return [(first, 1.0 - sum(shares)), *zip(models, shares, strict=True)]


def _capture(
    sheet: _Sheet,
    teachers: "Teachers",
    params: TargetParams,
    objective: "Objective",
    batches: "list[Rows]",
) -> _Captured:
    from kd_kedro.models.precision import resolve_precision
    from kd_kedro.training.planning.probe import (
        MOST_BATCHES,
        PeakMemory,
        evenly,
        probe_capture,
        shard_memory,
    )
    from kd_kedro.training.teacher.capture import CaptureSettings
    from kd_kedro.training.teacher.store import identity, open_targets

    peak, start = PeakMemory(), time.perf_counter()
    lesson, precision = sheet.lesson, resolve_precision(params.precision)
    # Where the teacher will be asked live, the cache that serves the same is the dense one.
    source = "dense" if params.source == "live" else params.source
    settings = CaptureSettings(**params.model_dump() | {"precision": precision, "source": source})
    belongs_to = identity(lesson.rows, lesson.tokenizer, teachers, lesson.max_length)
    identity_seconds = time.perf_counter() - start
    cost, manifest, probed = probe_capture(
        teachers, sheet.rows, evenly(batches, MOST_BATCHES), belongs_to, lesson.work_dir, settings
    )
    cost = replace(
        cost,
        seconds=cost.seconds + identity_seconds + sheet.seconds,
        memory=peak.bytes() + (0 if sheet.cuda else shard_memory(cost, manifest, settings)),
    )
    cached = open_targets(manifest, lesson.work_dir / "store", belongs_to)
    objective.check(cached)
    live = live_teacher(teachers, lesson.tokenizer, precision)
    return _Captured(cost, identity_seconds, cached, live, probed)


def _training(
    sheet: _Sheet,
    make: Callable[[], Any],
    settings: "TrainingSettings",
    seed: int,
    objective: "Objective",
    source: "TargetSource | None",
    probed: "list[Rows]",
    name: str,
) -> tuple[Any, "TrainingCost"]:
    from kd_kedro.models.encoding import pad_token_id
    from kd_kedro.training.planning.probe import MOST_BATCHES, PeakMemory, evenly, probe_training

    peak, start = PeakMemory(), time.perf_counter()
    model = make()
    made_in = time.perf_counter() - start
    cost = probe_training(
        model,
        sheet.rows,
        sheet.validation,
        evenly(probed, MOST_BATCHES),
        objective=objective,
        targets=source,
        settings=settings,
        seed=seed,
        padding=pad_token_id(sheet.lesson.tokenizer),
        work_dir=sheet.lesson.work_dir,
        name=name,
    )
    return model, replace(
        _later(cost, made_in + sheet.seconds),
        memory=peak.bytes(),
        model_bytes=cost.model_bytes + sheet.tokenizer_bytes,
    )


def _later(cost: "TrainingCost", seconds: float) -> "TrainingCost":
    """Add what comes once, before the training itself."""
    return replace(cost, rates=replace(cost.rates, start=cost.rates.start + seconds))


def _unbucketed(objective: "Objective") -> "Objective":
    """A live teacher has every token: there the divergence needs no bucket."""
    return replace(objective, divergence=objective.divergence.removeprefix("bucketed_"))


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """One bar over the parts, in place of one for each of the probe's small trainings."""
    with (
        tqdm(total=5, desc="probe", unit="part", file=sys.stderr) as bar,
        redirect_stderr(StringIO()),
    ):
        begun: list[str] = []

        def part(name: str) -> None:
            bar.update(bool(begun))
            bar.set_postfix_str(name)
            begun.append(name)

        yield part
        bar.update()
