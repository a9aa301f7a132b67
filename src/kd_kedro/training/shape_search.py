"""Which shape within a budget is cut out of a teacher: each is measured and trained a little."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch

from kd_kedro.inference.incremental import Steps, model_steps
from kd_kedro.metrics.efficiency.latency import System, answer_seconds, cpu_threads
from kd_kedro.models.causal_lm import positions
from kd_kedro.models.model_config import PruningConfig
from kd_kedro.models.pruning.candidates import (
    Cost,
    candidate_shapes,
    check_budget,
    count_parameters,
    random_of_shape,
)
from kd_kedro.models.pruning.prune import KEY, shape_of
from kd_kedro.models.pruning.shape import Shape

_TURNS = 5  # in which teacher and candidate answer
_PROMPT, _ANSWER = 64, 16  # tokens of what is timed
_BYTES = 4  # of a student's parameter


@dataclass(frozen=True)
class Candidate:
    """A shape within a budget.

    Attributes:
        shape: Sizes of the student.
        parameters: Number of its parameters.
        parameters_share: The same as a share of the teacher's.
        latency_ms: Milliseconds of an answer of 16 tokens to a prompt of 64, on one thread.
        latency_share: Its share of what the teacher took in the same turns, the median.
        validation_loss: Nats an answer token after the short training; None before it.
        taken: Whether students have this shape.
    """

    shape: Shape
    parameters: int
    parameters_share: float
    latency_ms: float
    latency_share: float
    validation_loss: float | None = None
    taken: bool = False

    @property
    def bytes(self) -> int:
        """Of its weights, in float32."""
        return _BYTES * self.parameters

    def figures(self, timed: bool) -> dict[str, Any]:
        """Return all as plain JSON values, with or without what is measured by the clock."""
        kept = {
            key: value
            for key, value in asdict(self).items()
            if key != "shape" and (timed or "latency" not in key)
        }
        return {**self.shape._asdict(), **kept, "bytes": self.bytes}


def list_candidates(teacher: Any, config: PruningConfig) -> list[Candidate]:
    """Return the shapes within a budget, measured and not yet trained.

    Args:
        teacher: A model of a supported architecture.
        config: Has a budget.

    Raises:
        ValueError: No shape meets the budget.
    """
    count = count_parameters(teacher)
    whole = count(shape_of(teacher))
    measured = _latencies(teacher)
    found = []
    for shape in candidate_shapes(teacher, config, _cost(teacher, config, measured)):
        milliseconds, share = measured(shape)
        parameters = count(shape)
        found.append(Candidate(shape, parameters, parameters / whole, milliseconds, share))
    return found


def check_outline(outline: Any, config: PruningConfig) -> None:
    """Refuse, from a teacher's outline, a budget that no shape meets.

    Where the budget is of latency, a model of the outline's sizes whose weights are all zero
    answers in the teacher's place: it takes as long.

    Raises:
        ValueError: The message names the budget.
    """
    teacher = outline
    if config.budget[0] == "latency":
        device = "cuda" if torch.cuda.is_available() else "cpu"
        teacher = copy.deepcopy(outline).to_empty(device=device)
        for tensor in (*teacher.parameters(), *teacher.buffers()):
            tensor.data.zero_()
    check_budget(teacher, config, _cost(teacher, config, _latencies(teacher)))


def best_candidate(
    candidates: Sequence[Candidate], cut: Callable[[Shape], Any], train: Callable[[Any], float]
) -> tuple[Any, list[Candidate]]:
    """Return the model of the shape that has the least loss after a short training, untrained.

    Args:
        candidates: The shapes, the first of equal ones before the others.
        cut: Cuts a shape out of the teacher.
        train: Trains a model in place and returns its loss on the validation rows.

    Returns:
        The model, and the candidates with their losses; one that has no loss diverged.

    Raises:
        ValueError: All diverged.
    """
    best, least, taken, trained = None, math.inf, 0, []
    for number, candidate in enumerate(candidates):
        model = cut(candidate.shape)
        loss = train(copy.deepcopy(model))
        if loss < least:
            best, least, taken = model, loss, number
        trained.append(replace(candidate, validation_loss=loss if math.isfinite(loss) else None))
    if best is None:
        raise ValueError(
            f"{KEY}.search_learning_rate: the loss of every shape within the budget diverged; "
            "lower it"
        )
    trained[taken] = replace(trained[taken], taken=True)
    return best, trained


def _cost(teacher: Any, config: PruningConfig, measured: Callable[[Shape], Any]) -> Cost:
    if config.budget[0] == "latency":
        return lambda shape: float(measured(shape)[1])
    count = count_parameters(teacher)
    whole = count(shape_of(teacher))
    return lambda shape: count(shape) / whole


def _latencies(teacher: Any) -> Callable[[Shape], tuple[float, float]]:
    """Return what measures a shape once: milliseconds, and the share of the teacher's."""
    system = System(lambda _: None, [[0] * _PROMPT], positions(teacher))
    tokens = min(_ANSWER, system.max_length - 1)

    def seconds(steps: Steps) -> float:
        return answer_seconds(steps, system, 0, 1, tokens)[1]

    @cache
    def measure(shape: Shape) -> tuple[float, float]:
        student = random_of_shape(teacher, shape).to(teacher.device)
        own, theirs = (model_steps(model.eval(), last_only=True) for model in (student, teacher))
        with cpu_threads(1), torch.inference_mode():
            seconds(own)  # the first answer sets everything up
            seconds(theirs)
            turns = np.array([[seconds(own), seconds(theirs)] for _ in range(_TURNS)])
        return 1000 * float(np.median(turns[:, 0])), float(np.median(turns[:, 0] / turns[:, 1]))

    return measure
