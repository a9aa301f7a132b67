"""Divergences between teacher and student, in float32 log space, one value for each token."""

from collections.abc import Callable

import torch

Divergence = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def forward_kl(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """Return KL(teacher || student).

    Args:
        teacher: (tokens, events) float32 log probabilities.
        student: (tokens, events) float32 log probabilities.

    Returns:
        (tokens,) nats: the sum over events of p (log p - log q). The caller normalises.
    """
    return (teacher.exp() * (teacher - student)).sum(-1)


def reverse_kl(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """Return KL(student || teacher), shaped as `forward_kl`."""
    return forward_kl(student, teacher)


# Events are single tokens of the vocabulary, except for the bucketed one, where they are the
# teacher's k most likely tokens and everything else together. That one is a divergence in its own
# right, a lower bound of the full forward KL, and another objective: so it has another name.
DIVERGENCES: dict[str, Divergence] = {
    "forward_kl": forward_kl,
    "reverse_kl": reverse_kl,
    "bucketed_forward_kl": forward_kl,
}
FULL = frozenset({"forward_kl", "reverse_kl"})
BUCKETED = frozenset({"bucketed_forward_kl"})
