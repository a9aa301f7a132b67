"""Fewer hidden channels: the principal components of the states that norms are given.

Ashkboos et al. 2024, "SliceGPT: Compress Large Language Models by Deleting Rows and Columns",
arXiv:2401.15024: a norm commutes with a rotation of its channels once its weights are moved into
the weights that read it, so that components with little energy can go. SliceGPT rotates each layer
in its own way and keeps the products of rotations in the skip connections. Here one projection P,
(channels, components), serves the whole model, which stays a plain one of its class.

Weights that write hidden channels are multiplied by P. Weights that read a norm take up its weights
and biases, add what the components tell of the rest by least squares, and make up for what the
norm now divides by: a mean over fewer channels, of less energy. A LayerNorm takes the mean off its
channels, so there the rows of P sum to zero and the mean is zero already.

A last norm whose head is the embedding matrix, or has no bias to take the norm's, keeps its
weights. They multiply channel by channel, so the components are turned until they do so again.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch

from kd_kedro.models.pruning.architectures import HEAD, HIDDEN, axes_of, norms_read
from kd_kedro.models.pruning.least_squares import told_by

Weights = dict[str, torch.Tensor]


def project(model: Any, width: int, states: Mapping[str, torch.Tensor]) -> Weights:
    """Return by name the weights of a model with fewer hidden channels.

    The epsilon of its norms must grow by the factor by which its channels are fewer. Where all
    states lie in as many dimensions as there are components (with LayerNorm in one fewer), the
    model says what it said; a last norm that is a LayerNorm must then have weights that are alike.

    Args:
        model: A model of a supported architecture.
        width: Number of hidden channels that are left, fewer than now.
        states: By name of each norm, (channels, channels), second moments of the states that it
            is given, each divided by its length.
    """
    given, read, places = model.state_dict(), norms_read(model), _places(model)
    held, centred = _held(model, read[HEAD]), _centres(model, read[HEAD])
    total = torch.stack([moments.double() for moments in states.values()]).sum(0)
    narrow = components(total, width, centred, given[f"{held}.weight"].double() if held else None)
    made: Weights = dict(given)
    made |= {name: _times(given[name], place, narrow) for name, place in places.items()}
    for norm, moments in states.items():
        louder = _louder(narrow, moments.double())
        if norm == held:  # means of the weights over each component, so that equal ones stay equal
            parts = narrow.square()
            means = given[f"{norm}.weight"].double() @ parts / parts.sum(0)
            made[f"{norm}.weight"] = louder * means
            continue
        reader = louder * _reader(narrow, moments.double())
        for name in (name for name, own in read.items() if own == norm):
            made |= _folded(given, name, norm, places[name], reader)
        made[f"{norm}.weight"] = torch.ones(width)
        if centred:
            made[f"{norm}.bias"] = torch.zeros(width)
    made |= _rescaled(model, made, len(total) / width)
    return made


def components(
    moments: torch.Tensor, width: int, centred: bool, diagonal: torch.Tensor | None = None
) -> torch.Tensor:
    """Return (channels, width) float64, the projection onto the components of most energy.

    Each component has its largest entry above zero, so that the same moments give the same ones.

    Args:
        moments: (channels, channels) float64, symmetric.
        width: Number of new channels.
        centred: Whether new channels must sum to zero, whatever is projected: then one component
            fewer is there, none of them has a part in the sum of the channels, and they are spread
            over the new channels by a reflection.
        diagonal: (channels,) float64, by which channels are multiplied somewhere: the components
            are turned among themselves so that they are nearly multiplied one by one there,
            and exactly unless they are centred.
    """
    count = width - 1 if centred else width
    if centred:  # the sum of the channels becomes the direction of the least energy
        moments = moments - moments.trace() / len(moments)
    vectors: torch.Tensor = torch.linalg.eigh(moments).eigenvectors[:, len(moments) - count :]
    if diagonal is not None:
        inside = vectors.T @ (diagonal[:, None] * vectors)
        vectors = vectors @ torch.linalg.eigh(inside).eigenvectors
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    vectors = vectors * largest.sign()
    return vectors @ _sum_free(width).T if centred else vectors


def _sum_free(width: int) -> torch.Tensor:
    """Return (width, width - 1) orthonormal columns that sum to zero, near to the first axes.

    They are the first columns of the Householder reflection that swaps the last axis and the
    direction of the sum.
    """
    across = torch.full((width,), -1 / math.sqrt(width), dtype=torch.float64)
    across[-1] += 1
    whole = torch.eye(width, dtype=torch.float64)
    return (whole - 2 * torch.outer(across, across) / across.dot(across))[:, :-1]


def _reader(narrow: torch.Tensor, moments: torch.Tensor) -> torch.Tensor:
    """Return (channels, width): what gives the states from their components by least squares."""
    inside = narrow.T @ moments
    kept = inside @ narrow
    return narrow + told_by(kept, inside - kept @ narrow.T).T


def _louder(narrow: torch.Tensor, moments: torch.Tensor) -> torch.Tensor:
    """Return the scalar that makes up for what a norm of the components divides by.

    The teacher's norm says sqrt(channels) x of a state x of length 1; the student's divides P^T x
    by its length and says sqrt(width) times that. The length is taken for the root of its mean
    square over the states, the share of their energy that P keeps.
    """
    share = (narrow * (moments @ narrow)).sum() / moments.trace()
    return torch.sqrt(share * len(narrow) / narrow.shape[1])


def _folded(given: Weights, name: str, norm: str, place: int, reader: torch.Tensor) -> Weights:
    """Return a weight that reads a norm, and its bias, with the norm's weights and biases in."""
    made = {name: _times(given[name], place, given[f"{norm}.weight"].double()[:, None] * reader)}
    if (shift := given.get(f"{norm}.bias")) is not None:
        bias = name.replace(".weight", ".bias")
        made[bias] = given[bias] + _times(given[name], place, shift.double())
    return made


def _rescaled(model: Any, weights: Weights, fewer: float) -> Weights:
    """Return the weights that something else than a norm's mean makes smaller or larger.

    The norms of queries and keys (Qwen3) share the epsilon, but their channels are as many as
    before. T5 divides what a tied head is given by the root of the hidden size.
    """
    made = {}
    for norm in (name for name in weights if name.endswith(("q_norm.weight", "k_norm.weight"))):
        product = norm.replace("_norm.weight", "_proj")
        for name in {f"{product}.weight", f"{product}.bias"} & weights.keys():
            made[name] = weights[name] * math.sqrt(fewer)
    if getattr(model.config, "scale_decoder_outputs", False):
        last = f"{norms_read(model)[HEAD]}.weight"
        made[last] = weights[last] / math.sqrt(fewer)
    return made


def _held(model: Any, last: str) -> str:
    """Return the name of the last norm where it keeps its weights, "" where its head takes them."""
    head = model.get_output_embeddings()
    tied = head.weight is model.get_input_embeddings().weight
    return last if tied or (_centres(model, last) and head.bias is None) else ""


def _centres(model: Any, norm: str) -> bool:
    return isinstance(model.get_submodule(norm), torch.nn.LayerNorm)


def _places(model: Any) -> dict[str, int]:
    """Return by name of each weight with hidden channels which of its dimensions they are."""
    kinds = {name: [axis.kind for axis in axes] for name, axes in axes_of(model).items()}
    return {name: own.index(HIDDEN) for name, own in kinds.items() if HIDDEN in own}


def _times(weight: torch.Tensor, place: int, by: torch.Tensor) -> torch.Tensor:
    """Return a weight multiplied along one of its dimensions, by a matrix or a vector."""
    made = weight.double().movedim(place, -1) @ by
    return (made.movedim(-1, place) if by.dim() == 2 else made).to(weight.dtype)
