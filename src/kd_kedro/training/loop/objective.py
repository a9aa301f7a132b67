"""The objective: alpha x cross-entropy + beta x divergence (+ hidden states) of answer tokens."""

from typing import Any, NamedTuple

import torch

from kd_kedro.losses.chunked_head import head_loss
from kd_kedro.losses.event_log_probs import event_log_probs
from kd_kedro.training.loop.training_config import ObjectiveConfig
from kd_kedro.training.teacher.signals import Signal


class AnswerLoss(NamedTuple):
    """Sums over answer tokens, float32 scalars; the caller divides by the number of tokens.

    Attributes:
        total: The weighted sum, the only one that carries a gradient.
        cross_entropy: Unweighted, nats.
        divergence: Unweighted and without T^2, nats.
        hidden: Unweighted distance of the hidden states.
    """

    total: torch.Tensor
    cross_entropy: torch.Tensor
    divergence: torch.Tensor
    hidden: torch.Tensor


def answer_loss(
    objective: ObjectiveConfig,
    hidden: torch.Tensor,
    head: Any,
    labels: torch.Tensor,
    signal: Signal | None,
    projection: Any = None,
) -> AnswerLoss:
    """Return the loss of a batch, summed over its answer tokens.

    Args:
        objective: The weights and the divergence.
        hidden: (answer tokens, width) student states that its head is given, any floating dtype.
        head: The student's linear head.
        labels: (answer tokens,) int64, the tokens that follow.
        signal: The teacher's opinion on the same tokens; None where it is not asked.
        projection: Linear map from the student's width to the teacher's; None where `hidden` is 0.
    """

    def chunk_loss(logits: torch.Tensor, start: int, end: int) -> torch.Tensor:
        targets = labels[start:end, None]
        cross_entropy = logits.new_zeros(())
        if objective.alpha or not objective.beta:
            cross_entropy = -event_log_probs(logits, targets, 0).sum()
        if signal is None or not objective.beta:
            return torch.stack([objective.alpha * cross_entropy, cross_entropy, cross_entropy * 0])
        divergence = (
            signal.part(start, end)
            .divergence(objective.divergence, objective.interpolation, logits)
            .sum()
        )
        scale = objective.temperature**2 if objective.temperature_squared else 1.0
        total = objective.alpha * cross_entropy + objective.beta * scale * divergence
        return torch.stack([total, cross_entropy, divergence])

    total, cross_entropy, divergence = head_loss(hidden, head, chunk_loss, 3).unbind()
    distance = total.new_zeros(())
    if objective.hidden_state_weight and signal is not None and signal.hidden is not None:
        distance = _distance(objective, projection(hidden), signal.hidden)
        total = total + objective.hidden_state_weight * distance
    return AnswerLoss(total, cross_entropy.detach(), divergence.detach(), distance.detach())


def _distance(
    objective: ObjectiveConfig, student: torch.Tensor, teacher: torch.Tensor
) -> torch.Tensor:
    student = student.to(torch.promote_types(student.dtype, torch.float32))
    teacher = teacher.to(student.dtype)
    if objective.hidden_state_loss == "mse":
        return (student - teacher).square().mean(-1).sum()
    return (1 - torch.cosine_similarity(student, teacher, dim=-1)).sum()
