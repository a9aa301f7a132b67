"""The names of the divergences, for configuration, which must not import torch."""

from typing import Literal, get_args

DivergenceName = Literal[
    "forward_kl",
    "reverse_kl",
    "jsd",
    "skewed_forward_kl",
    "skewed_reverse_kl",
    "bucketed_forward_kl",
    "bucketed_reverse_kl",
    "bucketed_jsd",
    "bucketed_skewed_forward_kl",
    "bucketed_skewed_reverse_kl",
]
# Events are single tokens of the vocabulary, except for the bucketed ones, where they are the
# teacher's k most likely tokens and everything else together. Each of those is a divergence in its
# own right, a lower bound of the full one, and another objective: so it has another name.
BUCKETED = frozenset(name for name in get_args(DivergenceName) if name.startswith("bucketed_"))
FULL = frozenset(get_args(DivergenceName)) - BUCKETED
# Draws from the teacher give its cross-entropy with the student without bias, and no logarithm of
# the teacher's own probabilities beyond their entropy.
SAMPLED = frozenset({"forward_kl"})
