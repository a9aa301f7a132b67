"""The objective: alpha x cross-entropy + beta x divergence, over answer tokens."""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from kd_kedro.training.divergences import DIVERGENCES
from kd_kedro.training.targets import Signal, TargetSource


@dataclass(frozen=True)
class Objective:
    """How much a student listens to the text and how much to the teacher.

    Attributes:
        alpha: Weight of the cross-entropy with the written answer.
        beta: Weight of the divergence from the teacher.
        divergence: A name of `DIVERGENCES`.
        temperature_squared: Multiply the divergence by T^2, which keeps its gradients of one size
            whatever the temperature (Hinton, Vinyals and Dean, 2015, arXiv:1503.02531, section 2).
            Without it, beta at T equals beta / T^2 with it: 0.208 at T 0.7 equals 0.4245.
    """

    alpha: float = 1.0
    beta: float = 0.0
    divergence: str = "forward_kl"
    temperature_squared: bool = True

    def check(self, source: TargetSource | None) -> None:
        """Refuse a divergence that the source cannot give exactly.

        Raises:
            ValueError: If beta needs a source and there is none, or a wrong one.
        """
        if self.beta == 0:
            return
        if source is None:
            raise ValueError(f"objective.beta is {self.beta} but there are no teacher targets")
        if self.divergence not in source.serves:
            raise ValueError(
                f"objective.divergence: these teacher targets cannot give '{self.divergence}' "
                f"exactly; use {' or '.join(sorted(source.serves))}, or capture them with another "
                "targets.source"
            )


class AnswerLoss(NamedTuple):
    """Sums over answer tokens, float32 scalars; the caller divides by the number of tokens."""

    total: torch.Tensor
    cross_entropy: torch.Tensor
    divergence: torch.Tensor


def answer_loss(
    objective: Objective, logits: torch.Tensor, labels: torch.Tensor, signal: Signal | None
) -> AnswerLoss:
    """Return the loss of a batch, summed over its answer tokens.

    Args:
        objective: The weights and the divergence.
        logits: (answer tokens, vocabulary) student logits, any floating dtype.
        labels: (answer tokens,) int64, the tokens that follow.
        signal: The teacher's opinion on the same tokens; None where beta is 0.

    Returns:
        The weighted total, and both parts unweighted (the divergence without T^2).
    """
    cross_entropy = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum")
    if signal is None or objective.beta == 0:
        return AnswerLoss(objective.alpha * cross_entropy, cross_entropy, logits.new_zeros(()))
    divergence = DIVERGENCES[objective.divergence](signal.teacher, signal.student(logits)).sum()
    scale = signal.temperature**2 if objective.temperature_squared else 1.0
    total = objective.alpha * cross_entropy + objective.beta * scale * divergence
    return AnswerLoss(total, cross_entropy, divergence)
