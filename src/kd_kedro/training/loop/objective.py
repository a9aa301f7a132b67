"""The objective: alpha x cross-entropy + beta x divergence (+ hidden states) of answer tokens."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from kd_kedro.losses.chunked_head import head_loss
from kd_kedro.losses.event_log_probs import event_log_probs
from kd_kedro.training.teacher.signals import Signal, TargetSource


@dataclass(frozen=True)
class Objective:
    """How much a student listens to the text and how much to the teacher.

    Attributes:
        alpha: Weight of the cross-entropy with the written answer.
        beta: Weight of the divergence from the teacher.
        divergence: A name of `DIVERGENCES`.
        interpolation: Weight of the mixture in `jsd` and the skewed divergences.
        temperature: What both sides' logits are divided by in the divergence.
        temperature_squared: Multiply the divergence by T^2, which keeps its gradients of one size
            whatever the temperature (Hinton, Vinyals and Dean, 2015, arXiv:1503.02531, section 2).
            Without it, beta at T equals beta / T^2 with it: 0.208 at T 0.7 equals 0.4245.
        hidden: Weight of the distance between the student's last hidden states, put through a
            learned projection, and the teacher's (Romero et al., 2015, arXiv:1412.6550).
        hidden_distance: `cosine` (1 - cosine similarity) or `mse` (mean over the teacher's width).
    """

    alpha: float = 1.0
    beta: float = 0.0
    divergence: str = "forward_kl"
    interpolation: float = 0.5
    temperature: float = 1.0
    temperature_squared: bool = True
    hidden: float = 0.0
    hidden_distance: str = "cosine"

    def __post_init__(self) -> None:
        if self.hidden_distance not in ("cosine", "mse"):
            raise ValueError(
                f"objective.hidden_distance is '{self.hidden_distance}'; it is cosine or mse"
            )
        if "skewed" in self.divergence and self.interpolation == 1:
            raise ValueError(
                f"objective.interpolation 1 compares {self.divergence}'s one side with itself; "
                "give less than 1"
            )

    @property
    def asks_teacher(self) -> bool:
        """Whether there is anything to learn from a teacher."""
        return bool(self.beta or self.hidden)

    def check(self, source: TargetSource | None) -> None:
        """Refuse what the source cannot give exactly.

        Raises:
            ValueError: If a teacher is asked and there is none, or one that cannot answer.
        """
        if not self.asks_teacher:
            return
        if source is None:
            key = "beta" if self.beta else "hidden"
            raise ValueError(
                f"objective.{key} is {getattr(self, key)} but there are no teacher targets"
            )
        if self.beta and self.divergence not in source.serves:
            raise ValueError(
                f"objective.divergence: these teacher targets cannot give '{self.divergence}' "
                f"exactly; use {' or '.join(sorted(source.serves))}, or capture them with another "
                "targets.source"
            )
        if self.beta and source.temperatures and self.temperature not in source.temperatures:
            captured = " or ".join(f"{value:g}" for value in source.temperatures)
            raise ValueError(
                f"objective.temperature: these teacher targets were captured at {captured}, not "
                f"{self.temperature:g}; add it to targets.temperatures"
            )
        if self.hidden and not source.hidden_width:
            raise ValueError(
                f"objective.hidden is {self.hidden} but these teacher targets have no hidden "
                "states; set targets.hidden to true"
            )


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
    objective: Objective,
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
        projection: From the student's width to the teacher's; None where `hidden` is 0.
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
    if objective.hidden and signal is not None and signal.hidden is not None:
        distance = _distance(objective, projection(hidden), signal.hidden)
        total = total + objective.hidden * distance
    return AnswerLoss(total, cross_entropy.detach(), divergence.detach(), distance.detach())


def _distance(objective: Objective, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    student = student.to(torch.promote_types(student.dtype, torch.float32))
    teacher = teacher.to(student.dtype)
    if objective.hidden_distance == "mse":
        return (student - teacher).square().mean(-1).sum()
    return (1 - torch.cosine_similarity(student, teacher, dim=-1)).sum()
