"""What a model says on rows of its task, layer by layer, head by head, neuron by neuron.

Muralidharan et al. 2024, "Compact Language Models via Pruning and Knowledge Distillation",
arXiv:2407.14679: a head or neuron counts by the mean magnitude of what it says, over the tokens of
calibration rows. A layer counts by how much it turns its hidden states (Men et al. 2024, ShortGPT,
arXiv:2403.03853). Second moments say what can be told from the units that stay.
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
_LARGE = 4096  # channels: second moments of more are summed in float32, half the memory


@dataclass
class Measured:
    """What was measured over all tokens of the calibration rows.

    Attributes:
        units: By axis, (its length,) float64: summed magnitudes of query heads and neurons.
        inputs: By name of the weight of an output projection, (its inputs, its inputs): summed
            second moments X^T X of what it is given.
        states: By name of a norm, (hidden size, hidden size): summed second moments of the states
            that it is given, each state divided by its length; of a LayerNorm the mean over its
            channels is off first. The trace is the number of states.
    """

    units: dict[Axis, torch.Tensor] = field(default_factory=dict)
    inputs: dict[str, torch.Tensor] = field(default_factory=dict)
    states: dict[str, torch.Tensor] = field(default_factory=dict)


def layer_turns(
    model: Any, rows: Sequence[Example], padding: int, progress: Bar = iter
) -> torch.Tensor:
    """Return (layers,) float64, the sum of 1 - cosine of hidden states before and after a layer.

    Of an encoder-decoder it is the sum over its halves. The arguments are those of `measure`.
    """
    stacks = list(blocks(model).values())
    turns = torch.zeros(max(map(len, stacks)), dtype=torch.float64)
    with ExitStack() as hooks:
        for number, layer in ((n, layer) for stack in stacks for n, layer in enumerate(stack)):
            hooks.callback(layer.register_forward_hook(_turned(turns, number)).remove)
        _read(model, rows, padding, progress)
    return turns


def measure(
    model: Any,
    rows: Sequence[Example],
    head_channels: int,
    padding: int,
    progress: Bar = iter,
) -> Measured:
    """Return what the units of a model say about rows, in one pass.

    The second moments of all layers are there together: with n neurons a layer holds n^2 numbers,
    float64 up to 4096 neurons and float32 beyond.

    Args:
        model: A model of a supported architecture.
        rows: Calibration rows, in its tokens; they go through it one at a time, so that no
            padding counts.
        head_channels: Channels of one attention head.
        padding: Id of the padding token.
        progress: Wraps the rows where a progress bar is wanted.
    """
    found = Measured()
    with ExitStack() as hooks:
        for name, axes in axes_of(model).items():
            module = model.get_submodule(name.rpartition(".")[0])
            if name.endswith(".weight") and (
                hook := _hook(module, name, axes, found, head_channels)
            ):
                hooks.callback(module.register_forward_pre_hook(hook).remove)
        _read(model, rows, padding, progress)
    return found


def _read(model: Any, rows: Sequence[Example], padding: int, progress: Bar) -> None:
    with evaluating(model):
        for row in progress(rows):
            batch = collate([row], padding, decoder_start(model)).to(model.device)
            inputs = {"input_ids": batch.input_ids}
            if batch.encoder_ids is not None:
                inputs = {"input_ids": batch.encoder_ids, "decoder_input_ids": batch.input_ids}
            model(**inputs, use_cache=False)


def _turned(turns: torch.Tensor, number: int) -> Callable[..., None]:
    def hook(_: Any, given: tuple[Any, ...], made: Any) -> None:
        after = made[0] if isinstance(made, tuple) else made
        cosine = torch.cosine_similarity(given[0].double(), after.double(), dim=-1)
        turns[number] += float((1 - cosine).sum())

    return hook


def _hook(
    module: torch.nn.Module,
    name: str,
    axes: tuple[Axis, ...],
    found: Measured,
    head_channels: int,
) -> Callable[..., None] | None:
    """Return the hook that measures what a module is given; None where it is not asked."""

    def norm(_: Any, given: tuple[torch.Tensor, ...]) -> None:
        states = given[0].flatten(0, -2).double()
        if isinstance(module, torch.nn.LayerNorm):
            states = states - states.mean(-1, keepdim=True)
        length = states.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(states.dtype).tiny)
        _add_moments(found.states, name.removesuffix(".weight"), states / length)

    def units(_: Any, given: tuple[torch.Tensor, ...]) -> None:
        states = given[0].flatten(0, -2)
        width = head_channels if axis.kind == HEADS else 1
        said = states.reshape(len(states), -1, width).norm(dim=-1).double().sum(0).cpu()
        found.units[axis] = found.units.get(axis, 0) + said
        _add_moments(found.inputs, name, states)

    if axes == (Axis(HIDDEN),):
        return norm
    axis = axes[1 if isinstance(module, torch.nn.Linear) else 0]  # of what the module is given
    return units if axis.kind in (HEADS, NEURONS) else None


def _add_moments(moments: dict[str, torch.Tensor], name: str, states: torch.Tensor) -> None:
    """Add X^T X of (tokens, channels) states to what there is under a name."""
    exact = states.to(torch.float32 if states.shape[1] > _LARGE else torch.float64)
    if name not in moments:
        moments[name] = exact.new_zeros(states.shape[1], states.shape[1], device="cpu")
    moments[name] += (exact.T @ exact).cpu()
