"""What the distillation pipeline will cost, from a probe of each of its parts."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from tqdm import tqdm

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.pipelines.distillation.lengths import length_notes
from kd_kedro.pipelines.distillation.models import START, Start, make_model, make_student
from kd_kedro.pipelines.distillation.nodes import (
    choose_examples,
    teacher_inputs,
    train_tokenizer,
)
from kd_kedro.pipelines.distillation.params import (
    ControlParams,
    EnsembleParams,
    ExampleParams,
    SeedParams,
    SequenceLevelParams,
    StudentParams,
    TeacherParams,
    TokenizerParams,
)
from kd_kedro.pipelines.distillation.starts import part_of
from kd_kedro.pipelines.distillation.students import reference_inputs
from kd_kedro.pipelines.distillation.training_groups import StartSettings, set_start
from kd_kedro.training.loop.training_config import (
    ObjectiveConfig,
    OnPolicyConfig,
    TrainingConfig,
    planned_steps,
)
from kd_kedro.training.teacher.capture_config import CaptureConfig

if TYPE_CHECKING:
    from kd_kedro.training.planning.cost import EncodedInputs
    from kd_kedro.training.planning.plan import Figures, Plan, TrainingCost
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
    targets: CaptureConfig,
    student: StudentParams,
    training: TrainingConfig,
    objective: ObjectiveConfig,
    on_policy: OnPolicyConfig,
    seeds: SeedParams,
    controls: ControlParams,
) -> "Plan":
    """Probe every part of the distillation pipeline and return what all of it will cost.

    Nothing has to be trained beforehand: random weights cost the same time. What the probe writes
    lies in a temporary folder and is gone afterwards.

    Raises:
        OSError: If a pretrained model or tokenizer cannot be had.
        ValueError: Rows or settings that the pipeline would refuse.
    """
    from kd_kedro.training.loop.model_training import TrainingInputs
    from kd_kedro.training.planning.cost import (
        capture_cost,
        encode_inputs,
        on_gpu,
        starting_later,
        training_cost,
        unbucketed,
    )
    from kd_kedro.training.planning.plan import Plan
    from kd_kedro.training.planning.probe import training_batches

    if teacher.served:
        raise ValueError(
            "distillation.teacher.served is true: what a teacher behind a server takes cannot be "
            "measured here, and without it there is no plan"
        )
    second = teacher.fine_tune and controls.teacher_seed is not None
    with tempfile.TemporaryDirectory(prefix="distill-plan-") as folder, _progress() as part:
        part("teacher")
        start = time.perf_counter()
        chosen = choose_examples(augmented_qa, examples)
        made = train_tokenizer(chosen[0], tokenizer, examples)
        tokenizer_seconds = time.perf_counter() - start
        place = (examples.max_length, Path(folder))
        notes = length_notes(
            *chosen,
            augmented_qa,
            made,
            examples,
            teacher=teacher.pretrained,
            ensemble=ensemble.pretrained,
            student_tokenizer=student.tokenizer,
            student=student.pretrained,
        )
        encoded = encode_inputs(TrainingInputs(*chosen, made, *place))
        own_prompts = teacher_inputs(encoded.inputs)
        read = encode_inputs(own_prompts) if own_prompts.prompts else encoded
        taught, teacher_cost = _teacher(read, teacher)

        part("targets")
        settings = training.in_one_process()
        batches = training_batches(encoded.rows, settings, seeds.first)
        teachers = _teachers(encoded, taught, teacher, ensemble)
        capture = capture_cost(
            encoded, teachers, _capturable(targets), objective, batches, read.inputs.prompts
        )
        own, probed = encoded, capture.probed
        if student.tokenizer:
            own = encode_inputs(reference_inputs(*chosen, made, student, *place))
            probed = training_batches(own.rows, settings, seeds.first)

        begun, shapes, start_seconds = _start(student, own, taught, settings)

        def cost(name: str, goal: ObjectiveConfig, source: "TargetSource | None") -> "TrainingCost":
            part(name)
            make = partial(
                make_student, student, own.inputs, seeds.first, begun, name != "baseline"
            )
            _, told = training_cost(
                own,
                make,
                settings,
                seeds.first,
                name=name,
                objective=goal,
                targets=source,
                probed=probed,
            )
            return told

        baseline = cost("baseline", ObjectiveConfig(), None)
        asked = objective.asks_teacher
        cached = cost("student", objective, capture.cached if asked else None)
        live = cost("live teacher", unbucketed(objective), capture.live) if asked else None
        return Plan(
            tokenizer_seconds=tokenizer_seconds,
            teacher=teacher_cost,
            capture=capture.cost,
            baseline=baseline,
            student=replace(
                starting_later(cached, capture.identity_seconds if asked else 0.0),
                # By the end of an epoch the whole store has been read through its memory map.
                memory=cached.memory + (capture.cost.bytes if asked and not on_gpu() else 0),
            ),
            live=live,
            start_seconds=start_seconds(baseline),
            candidates=shapes,
            further_seeds=seeds.count - 1,
            device=_device(),
            untaught_starts=(
                seeds.count if student.starts_as_teacher and controls.cut_untaught else 0
            ),
            patient_accounts=controls.patient_accounts,
            ensemble_teachers=len(ensemble.seeds) + bool(second),
            pretrained_teacher=controls.as_it_came(teacher) is not None,
            ensemble_members=len(ensemble.seeds),
            asks_live=targets.source == "live",
            captures=targets.source != "live" and targets.capture is not False,
            not_counted=tuple(_not_counted(teacher, training, sequence_level, on_policy)),
            length_notes=notes,
        )


def _start(
    student: StudentParams,
    encoded: "EncodedInputs",
    teacher: LanguageModel,
    training: TrainingConfig,
) -> "tuple[Start, tuple[Figures, ...], Callable[[TrainingCost], float]]":
    """Return what students begin as, the shapes it is chosen from, and what gives its seconds.

    Which shape will be best is not known: the largest is planned. The seconds follow from the cost
    of a training without a teacher.
    """
    from kd_kedro.training.shape_search import list_candidates

    if not student.starts_as_teacher:
        return {}, (), lambda _: 0.0
    asked = StartSettings.model_validate(
        set_start(
            student, training.batch_size, training.gradient_checkpointing, encoded.inputs.max_length
        )
    )
    begun = time.perf_counter()
    config = student.from_teacher
    candidates = list_candidates(teacher.model, config) if config.budget[0] else []
    listed = time.perf_counter()
    largest = max(candidates, key=lambda each: each.parameters).shape if candidates else None
    model = part_of(teacher, student, encoded.inputs, largest)
    cut = time.perf_counter() - listed
    steps = planned_steps(encoded.rows, asked.training)

    def seconds(plain: "TrainingCost") -> float:
        each = cut + steps * plain.step_seconds + plain.rates.evaluation
        return listed - begun + (len(candidates) * each if candidates else cut)

    start = LanguageModel(model, teacher.tokenizer, {"weights": ""})
    return {START: start}, tuple(each.figures(timed=True) for each in candidates), seconds


def _capturable(targets: CaptureConfig) -> CaptureConfig:
    # Where the teacher will be asked live, the cache that serves the same is the dense one.
    return targets.model_copy(update={"source": "dense"}) if targets.source == "live" else targets


def _not_counted(
    teacher: TeacherParams,
    training: TrainingConfig,
    sequence_level: SequenceLevelParams,
    on_policy: OnPolicyConfig,
) -> Iterator[str]:
    if sequence_level.source != "none":
        yield "the answers that a teacher writes (sequence_level), and students' time on them"
    if on_policy.share:
        yield "the answers that a student samples, and what its teacher says of them (on_policy)"
    trainings = [training, *([teacher.training] if teacher.fine_tune else [])]
    if any(each.processes > 1 for each in trainings):
        yield "further processes (num_processes, num_nodes): time and memory are those of one alone"


def _teacher(
    encoded: "EncodedInputs", params: TeacherParams
) -> tuple[LanguageModel, "TrainingCost"]:
    from kd_kedro.training.planning.cost import loading_cost, training_cost

    make = partial(
        make_model,
        params,
        encoded.inputs.tokenizer,
        encoded.inputs.longest,
        params.seed,
        "distillation.teacher",
        params.dtype,
    )
    if params.fine_tune:
        asked = (params.training.in_one_process(), params.seed)
        model, cost = training_cost(
            encoded, make, *asked, name="teacher", objective=ObjectiveConfig()
        )
    else:
        model, cost = loading_cost(encoded, make, "teacher")
    # A run reads the saved teacher onto the GPU where there is one.
    return LanguageModel(model.to(_device()).eval(), encoded.inputs.tokenizer, {}), cost


def _teachers(
    encoded: "EncodedInputs",
    first: LanguageModel,
    params: TeacherParams,
    ensemble: EnsembleParams,
) -> "Teachers":
    """Return all teachers with their shares; one that has the first one's size stands for it."""
    models, inputs = [first] * len(ensemble.seeds), encoded.inputs
    for number, name in enumerate(ensemble.pretrained):
        own = params.model_copy(update={"pretrained": name})
        key = f"distillation.ensemble.pretrained.{number}"
        model = make_model(own, inputs.tokenizer, inputs.max_length, params.seed, key, params.dtype)
        models.append(LanguageModel(model.to(_device()).eval(), inputs.tokenizer, {}))
    shares = ensemble.shares
    return [(first, 1.0 - sum(shares)), *zip(models, shares, strict=True)]


def _device() -> str:
    from kd_kedro.training.planning.cost import on_gpu

    return "cuda" if on_gpu() else "cpu"


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """One bar over the parts, in place of one for each of the probe's small trainings."""
    with (
        tqdm(total=5, desc="probe", unit="part", file=sys.stderr, disable=None) as bar,
        redirect_stderr(StringIO()),
    ):
        begun: list[str] = []

        def part(name: str) -> None:
            bar.update(bool(begun))
            bar.set_postfix_str(name)
            begun.append(name)

        yield part
        bar.update()
