"""What students begin as where that is a part of the teacher: made once for all of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.models.causal_lm import LanguageModel  # imports nothing heavy
from kd_kedro.models.model_config import PruningConfig
from kd_kedro.pipelines.distillation.lengths import check_served
from kd_kedro.pipelines.distillation.models import START, origin_of
from kd_kedro.pipelines.distillation.params import StudentParams
from kd_kedro.pipelines.distillation.training_groups import Settings, StartSettings
from kd_kedro.training.examples import calibration_examples, encode_examples
from kd_kedro.training.loop.training_config import ObjectiveConfig, TrainingConfig

if TYPE_CHECKING:  # torch and transformers would make every kedro command slow
    from kd_kedro.models.pruning.shape import Shape
    from kd_kedro.training.loop.model_training import TrainingInputs
    from kd_kedro.training.shape_search import Candidate

Facts = dict[str, Any]
_SEED = 0  # of the order of rows in short trainings: the same start for every seed of the students


def make_start(
    training_examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    teacher: LanguageModel,
    settings: Settings,
    training_work_dir: Path,
) -> tuple[dict[str, LanguageModel], Facts]:
    """Make what every student begins as, where that is a part of the teacher.

    The teacher is measured on the reference examples, whatever it wrote itself (sequence_level).
    Every training of a student waits for this, so that what a teacher behind a server cannot read
    is refused here.

    Returns:
        The start, empty where students begin with random or pretrained weights; and `{origin,
        budget, candidates, latency}`: what it is, and the shapes among which it was chosen.

    Raises:
        ValueError: The teacher has no such part, no shape meets the budget, or a row is longer than
            a server reads.
    """
    from kd_kedro.training.loop.model_training import TrainingInputs, with_card

    asked = StartSettings.model_validate(settings)
    check_served(training_examples, teacher, asked.max_length)
    student = asked.student
    if not student.starts_as_teacher:
        return {}, _facts("students begin as no part of the teacher", student, [])
    inputs = TrainingInputs(
        training_examples,
        validation_examples,
        teacher.tokenizer,
        asked.max_length,
        training_work_dir,
    )
    if student.from_teacher.budget[0]:
        model, candidates = _search(teacher, asked, inputs)
    else:
        model, candidates = part_of(teacher, student, inputs), []
    origin = origin_of(student, True)
    made_of = {"teacher": teacher.card.get("weights")}
    start = with_card(model, inputs, seed=_SEED, name=START, origin=origin, training=made_of)
    return {START: start}, _facts(origin, student, candidates)


def part_of(
    teacher: LanguageModel,
    student: StudentParams,
    inputs: "TrainingInputs",
    shape: "Shape | None" = None,
) -> Any:
    """Return the part of a teacher that students begin as, untrained.

    Args:
        teacher: The teacher.
        student: Which layers are copied, or which sizes are cut out.
        inputs: The examples on which the teacher is measured, its tokenizer and its length.
        shape: The shape, where it was chosen within a budget.
    """
    from kd_kedro.models.layer_copying import copy_layers
    from kd_kedro.models.pruning.prune import shape_of
    from kd_kedro.models.pruning.shape import wanted_shape

    if student.copy_layers:
        return copy_layers(teacher.model, student.copy_layers, _SEED)
    config = student.from_teacher
    return _cut(teacher, shape or wanted_shape(config, shape_of(teacher.model)), config, inputs)


def _cut(
    teacher: LanguageModel, shape: "Shape", config: PruningConfig, inputs: "TrainingInputs"
) -> Any:
    from tqdm import tqdm

    from kd_kedro.models.encoding import pad_token_id
    from kd_kedro.models.pruning.prune import prune

    rows = calibration_examples(inputs.examples, config.calibration_rows)
    return prune(
        teacher.model,
        shape,
        encode_examples(rows, inputs.tokenizer, inputs.max_length),
        pad_token_id(inputs.tokenizer),
        lambda rows: tqdm(rows, desc="measuring the teacher's units", unit="row", disable=None),
    )


def _search(
    teacher: LanguageModel, asked: StartSettings, inputs: "TrainingInputs"
) -> "tuple[Any, list[Candidate]]":
    from kd_kedro.training.shape_search import best_candidate, list_candidates

    if inputs.validation.empty:
        raise ValueError(
            "distillation.student.from_teacher: shapes within a budget are compared on validation "
            "rows, and there are none: give sizes in place of the budget"
        )
    config = asked.student.from_teacher
    return best_candidate(
        list_candidates(teacher.model, config),
        lambda shape: _cut(teacher, shape, config, inputs),
        lambda model: _short_training(model, inputs, asked.training),
    )


def _short_training(model: Any, inputs: "TrainingInputs", training: TrainingConfig) -> float:
    """Train a model a little on the reference answers; return its loss on the validation rows."""
    from kd_kedro.training.loop.model_training import train_model

    name, goal = "a shape within the budget", ObjectiveConfig()
    _, history = train_model(model, inputs, training, goal, seed=_SEED, name=name, origin="")
    return min(record["validation_loss"] for record in history if "validation_loss" in record)


def _facts(origin: str, student: StudentParams, candidates: "list[Candidate]") -> Facts:
    name, share = student.from_teacher.budget
    return {
        "origin": origin,
        "budget": {name: share} if name else {},
        "candidates": [each.figures(timed=False) for each in candidates],
        "latency": [
            {"milliseconds": each.latency_ms, "share": each.latency_share} for each in candidates
        ],
    }
