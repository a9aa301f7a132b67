"""A student cut out of its teacher: fewer layers, hidden channels, heads and neurons."""

import copy
from collections.abc import Sequence
from typing import Any

import torch

from kd_kedro.models.encoding import Example
from kd_kedro.models.layer_copying import blocks, copy_layers, untrained
from kd_kedro.models.pruning.architectures import (
    GATES_NEURONS,
    HEAD_NUMBERS,
    HEADS,
    HIDDEN,
    KEY_VALUES,
    NEURONS,
    QKV,
    WHOLE,
    Axis,
    architecture_of,
    axes_of,
)
from kd_kedro.models.pruning.importance import Bar, Measured, layer_turns, measure
from kd_kedro.models.pruning.least_squares import without
from kd_kedro.models.pruning.projection import project
from kd_kedro.models.pruning.shape import Heads, Shape, groupings, shape_defect

KEY = "distillation.student.from_teacher"


def shape_of(model: Any) -> Shape:
    """Return a model's shape.

    Raises:
        ValueError: No model of its class can be cut.
    """
    hidden, heads, neurons = architecture_of(model).sizes
    width = getattr(model.config, hidden)
    inner = getattr(model.config, neurons)
    layers = max(map(len, blocks(model).values()))
    return Shape(layers, width, getattr(model.config, heads), 4 * width if inner is None else inner)


def check_shape(model: Any, wanted: Shape) -> None:
    """Refuse a shape that cannot be cut out of a model.

    Raises:
        ValueError: The message names the size.
    """
    tied = architecture_of(model).tied_width
    if defect := shape_defect(wanted, shape_of(model), heads_of(model), tied):
        raise ValueError(f"{KEY}.{defect}")


def prune(
    teacher: Any, wanted: Shape, rows: Sequence[Example], padding: int, progress: Bar = iter
) -> Any:
    """Return a float32 student cut out of a teacher.

    First whole layers go, those that turn their hidden states least. What is left is measured
    again: hidden channels become the principal components of the hidden states (`projection`), and
    the heads and neurons that say most stay, in their order; their output projections tell by
    least squares what the others said (`least_squares`). A cut that removes nothing changes
    nothing; one that removes only what is always zero says what the teacher says.

    Args:
        teacher: A causal or encoder-decoder model of a supported architecture.
        wanted: The student's shape.
        rows: Calibration rows, in the teacher's tokens.
        padding: Id of the padding token.
        progress: Wraps the rows where a progress bar is wanted, once or twice.

    Raises:
        ValueError: The teacher has no such shape in it, or there are no calibration rows.
    """
    check_shape(teacher, wanted)
    if not rows:
        raise ValueError(f"{KEY}: there are no calibration rows; give rows of the train split")
    present, channels = shape_of(teacher), heads_of(teacher).channels
    layers = list(range(present.num_hidden_layers))
    if wanted.num_hidden_layers < len(layers):
        turns = layer_turns(teacher, rows, padding, progress)
        layers = _best(turns, wanted.num_hidden_layers).tolist()
    shorter = copy_layers(teacher, layers, 0)
    if wanted[1:] == present[1:]:
        return shorter
    return _narrowed(shorter, wanted, measure(shorter, rows, channels, padding, progress))


def pruned_shape(model: Any, wanted: Shape, seed: int) -> Any:
    """Return an untrained float32 model of the shape that cutting a model leaves.

    Args:
        model: Gives the class and the configuration; its layers may be fewer already.
        wanted: The shape.
        seed: Seed of the weights. The global random state is left as it was.
    """
    config = copy.deepcopy(model.config)
    names = architecture_of(model).sizes
    for name, size in zip(names, wanted[1:], strict=True):
        setattr(config, name, size)
    heads, present = heads_of(model), shape_of(model)
    if hasattr(config, "num_key_value_heads"):
        config.num_key_value_heads = groupings(heads, wanted.num_attention_heads)[-1]
        config.head_dim = heads.channels
    for name in ("rms_norm_eps", "layer_norm_epsilon"):
        if hasattr(config, name):
            smaller = present.hidden_size / wanted.hidden_size
            setattr(config, name, getattr(config, name) * smaller)
    return untrained(model, seed, config)


def _narrowed(model: Any, wanted: Shape, measured: Measured) -> Any:
    student = pruned_shape(model, wanted, 0)
    kept = _Kept(model, wanted, measured)
    weights = model.state_dict()
    if wanted.hidden_size < shape_of(model).hidden_size:
        weights = project(model, wanted.hidden_size, measured.states)
    for name, axes in axes_of(model).items():
        for dimension, axis in enumerate(axes):
            if axis.kind in (WHOLE, HIDDEN):
                continue
            if name in measured.inputs:
                moments = measured.inputs[name]
                weights[name] = without(weights[name], dimension, kept.of(axis), moments)
            else:
                weights[name] = weights[name].index_select(dimension, kept.of(axis))
    student.load_state_dict(weights)
    return student


class _Kept:
    """Which entries of the axes of heads and neurons are kept, in their order."""

    def __init__(self, model: Any, wanted: Shape, measured: Measured) -> None:
        self._heads = heads_of(model)
        self._wanted = wanted
        self._units = measured.units

    def of(self, axis: Axis) -> torch.Tensor:
        """Return int64 indices along an axis."""
        kind, module = axis
        if kind in (NEURONS, GATES_NEURONS):
            said = self._units[Axis(NEURONS, module)]
            neurons = _best(said, self._wanted.intermediate_size)
            return neurons if kind == NEURONS else torch.cat([neurons, neurons + len(said)])
        queries, groups = self._chosen(module)
        if kind == HEAD_NUMBERS:
            return queries
        channels = self._heads.channels
        asked, given = _spread(queries, channels), _spread(groups, channels)
        if kind == QKV:
            keys = self._heads.queries * channels
            values = keys + self._heads.key_values * channels
            return torch.cat([asked, given + keys, given + values])
        return given if kind == KEY_VALUES else asked

    def _chosen(self, module: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the query heads of an attention that are kept, and their keys' and values'."""
        scores, heads = self._units[Axis(HEADS, module)], self._heads
        grouped = scores.reshape(heads.key_values, -1)
        kept = groupings(heads, self._wanted.num_attention_heads)[-1]
        groups = _best(grouped.sum(1), kept)
        each = self._wanted.num_attention_heads // len(groups)
        first = groups * grouped.shape[1]
        return torch.cat(
            [
                start + _best(grouped[group], each)
                for group, start in zip(groups, first, strict=True)
            ]
        ), groups


def heads_of(model: Any) -> Heads:
    """Return the attention heads of a model of a supported architecture."""
    config = model.config
    queries = getattr(config, architecture_of(model).sizes[1])
    channels = getattr(config, "d_kv", None) or getattr(config, "head_dim", None)
    own = channels or getattr(config, architecture_of(model).sizes[0]) // queries
    return Heads(queries, getattr(config, "num_key_value_heads", None) or queries, own)


def _best(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Return the positions of the highest scores, ascending; the first of equal ones."""
    order = torch.sort(scores, descending=True, stable=True).indices
    return order[:count].sort().values


def _spread(heads: torch.Tensor, channels: int) -> torch.Tensor:
    return (heads[:, None] * channels + torch.arange(channels)).flatten()
