"""Divergences between teacher and student, in float32 log space, one value for each token.

Every function takes (tokens, events) log probabilities of teacher p and student q, float32 or
float64, and a weight that mixtures use, and returns (tokens,) nats. The caller normalises.
"""

import math
from collections.abc import Callable

import torch

Divergence = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]


def forward_kl(teacher: torch.Tensor, student: torch.Tensor, _: float = 0.0) -> torch.Tensor:
    """Return KL(p || q): the sum over events of p (log p - log q)."""
    return _kl(teacher, student)


def reverse_kl(teacher: torch.Tensor, student: torch.Tensor, _: float = 0.0) -> torch.Tensor:
    """Return KL(q || p)."""
    return _kl(student, teacher)


def jsd(teacher: torch.Tensor, student: torch.Tensor, weight: float) -> torch.Tensor:
    """Return the generalised Jensen-Shannon divergence w KL(p || m) + (1 - w) KL(q || m).

    m = w p + (1 - w) q (Agarwal et al., 2024, arXiv:2306.13649, equation 1). It vanishes towards
    both ends, so a weight of 0 is the pure forward and of 1 the pure reverse divergence, to which
    it tends when divided by w or by 1 - w.
    """
    if weight <= 0:
        return _kl(teacher, student)
    if weight >= 1:
        return _kl(student, teacher)
    mixture = _mixture(teacher, student, weight)
    return weight * _kl(teacher, mixture) + (1 - weight) * _kl(student, mixture)


def skewed_forward_kl(teacher: torch.Tensor, student: torch.Tensor, weight: float) -> torch.Tensor:
    """Return KL(p || w p + (1 - w) q) (Ko et al., 2024, arXiv:2402.03898); forward KL at w = 0."""
    return _kl(teacher, _mixture(teacher, student, weight))


def skewed_reverse_kl(teacher: torch.Tensor, student: torch.Tensor, weight: float) -> torch.Tensor:
    """Return KL(q || w q + (1 - w) p) (Ko et al., 2024, arXiv:2402.03898); reverse KL at w = 0."""
    return _kl(student, _mixture(student, teacher, weight))


def _kl(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return (first.exp() * (first - second)).sum(-1)


def _mixture(first: torch.Tensor, second: torch.Tensor, weight: float) -> torch.Tensor:
    if weight <= 0:
        return second
    return torch.logaddexp(first + math.log(weight), second + math.log1p(-weight))


_PLAIN: dict[str, Divergence] = {
    "forward_kl": forward_kl,
    "reverse_kl": reverse_kl,
    "jsd": jsd,
    "skewed_forward_kl": skewed_forward_kl,
    "skewed_reverse_kl": skewed_reverse_kl,
}
DIVERGENCES: dict[str, Divergence] = _PLAIN | {f"bucketed_{name}": f for name, f in _PLAIN.items()}
