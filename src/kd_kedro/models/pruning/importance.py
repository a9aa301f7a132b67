"""How much each layer, hidden channel, head and neuron of a model does, on rows of its task.

Muralidharan et al. 2024, "Compact Language Models via Pruning and Knowledge Distillation",
arXiv:2407.14679: the mean magnitude of what a unit says, over the tokens of calibration rows. A
layer counts by how much it turns its hidden states (Men et al. 2024, ShortGPT, arXiv:2403.03853).
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch

from kd_kedro.models.encoding import Example, collate
from kd_kedro.models.layer_copying import blocks
from kd_kedro.models.modes import decoder_start, evaluating
from kd_kedro.models.pruning.architectures import HEADS, HIDDEN, NEURONS, Axis, axes_of

Bar = Callable[[Sequence[Example]], Iterable[Example]]


@dataclass
class Importance:
    """What was measured over all tokens of the calibration rows, float64.

    Attributes:
        layers: (layers,), the mean of 1 - cosine of a layer's hidden states before and after it;
            of an encoder-decoder the sum over its halves.
        units: By axis, (its length,): mean magnitudes of hidden channels, query heads and neurons.
        energy: By name of a norm, (hidden size,): each channel's mean share of the squares that
            the norm divides by; they sum to one.
    """

    layers: torch.Tensor
    units: dict[Axis, torch.Tensor] = field(default_factory=dict)
    energy: dict[str, torch.Tensor] = field(default_factory=dict)


def measure(
    model: Any,
    rows: Sequence[Example],
    head_channels: int,
    padding: int,
    progress: Bar = iter,
) -> Importance:
    """Return what each unit of a model says about rows.

    Args:
        model: A model of a supported architecture.
        rows: Calibration rows, in its tokens; they go through it one at a time, so that no
            padding counts.
        head_channels: Channels of one attention head.
        padding: Id of the padding token.
        progress: Wraps the rows where a progress bar is wanted.
    """
    stacks = list(blocks(model).values())
    found = Importance(torch.zeros(max(map(len, stacks)), dtype=torch.float64))
    with ExitStack() as hooks, evaluating(model):
        for number, layer in ((n, layer) for stack in stacks for n, layer in enumerate(stack)):
            hooks.callback(layer.register_forward_hook(_turned(found.layers, number)).remove)
        for name, axes in axes_of(model).items():
            module = model.get_submodule(name.rpartition(".")[0])
            if name.endswith(".weight") and (
                hook := _hook(module, name, axes, found, head_channels)
            ):
                hooks.callback(hook.remove)
        for row in progress(rows):
            batch = collate([row], padding, decoder_start(model)).to(model.device)
            inputs = {"input_ids": batch.input_ids}
            if batch.encoder_ids is not None:
                inputs = {"input_ids": batch.encoder_ids, "decoder_input_ids": batch.input_ids}
            model(**inputs, use_cache=False)
    for name, energy in found.energy.items():
        found.energy[name] = energy / energy.sum()
    return found


def _turned(layers: torch.Tensor, number: int) -> Callable[..., None]:
    def hook(_: Any, given: tuple[Any, ...], made: Any) -> None:
        after = made[0] if isinstance(made, tuple) else made
        cosine = torch.cosine_similarity(given[0].double(), after.double(), dim=-1)
        layers[number] += float((1 - cosine).sum())

    return hook


def _hook(
    module: torch.nn.Module,
    name: str,
    axes: tuple[Axis, ...],
    found: Importance,
    head_channels: int,
) -> Any:
    """Return the hook that measures what a module says or is given; None where it is not asked."""

    def add(axis: Axis, values: torch.Tensor) -> None:
        total = values.double().cpu()
        found.units[axis] = found.units.get(axis, 0) + total

    def norm(_: Any, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        add(axes[0], made.abs().flatten(0, -2).sum(0))
        states = given[0].double().flatten(0, -2)
        if isinstance(module, torch.nn.LayerNorm):
            states = states - states.mean(-1, keepdim=True)
        squares = states.square()
        whole = squares.sum(-1, keepdim=True).clamp_min(torch.finfo(squares.dtype).tiny)
        share = (squares / whole).sum(0).cpu()
        found.energy[name] = found.energy.get(name, 0) + share

    def heads(_: Any, given: tuple[torch.Tensor, ...]) -> None:
        states = given[0].flatten(0, -2)
        add(axis, states.reshape(len(states), -1, head_channels).norm(dim=-1).sum(0))

    def neurons(_: Any, given: tuple[torch.Tensor, ...]) -> None:
        add(axis, given[0].abs().flatten(0, -2).sum(0))

    if axes == (Axis(HIDDEN),):
        return module.register_forward_hook(norm)
    axis = axes[1 if isinstance(module, torch.nn.Linear) else 0]  # of what the module is given
    if axis.kind == HEADS:
        return module.register_forward_pre_hook(heads)
    return module.register_forward_pre_hook(neurons) if axis.kind == NEURONS else None
