"""Which shapes can be cut out of which: plain numbers, told before any model is there."""

from typing import NamedTuple

from kd_kedro.models.model_config import PruningConfig


class Shape(NamedTuple):
    """What of a model is left; an encoder-decoder keeps as much of both halves."""

    num_hidden_layers: int
    hidden_size: int
    num_attention_heads: int
    intermediate_size: int


class Heads(NamedTuple):
    """Attention heads of a model.

    Attributes:
        queries: Number of query heads.
        key_values: Number of heads of keys and values; each serves as many query heads.
        channels: Channels of a head.
    """

    queries: int
    key_values: int
    channels: int


def wanted_shape(config: PruningConfig, present: Shape) -> Shape:
    """Return the shape that is asked for; what is left out is as it is."""
    asked = (getattr(config, name) for name in Shape._fields)
    return Shape(*(size or own for size, own in zip(asked, present, strict=True)))


def shape_defect(wanted: Shape, present: Shape, heads: Heads, tied_width: bool) -> str:
    """Return why a shape cannot be cut out of a teacher, the size first; '' where it can.

    Args:
        wanted: The student's shape.
        present: The teacher's.
        heads: The teacher's heads.
        tied_width: Whether heads fill the hidden size exactly, as GPT-2's do.
    """
    for name, size, most in zip(Shape._fields, wanted, present, strict=True):
        if size > most:
            return f"{name}: {size} is more than the teacher's {most}; lower it"
    queries = wanted.num_attention_heads
    if not groupings(heads, queries):
        most = heads.queries // heads.key_values
        return (
            f"num_attention_heads: {queries} heads cannot share heads of keys and values alike, at "
            f"most {most} each, as the teacher's do: give a multiple of {most}"
        )
    needed = queries * heads.channels
    if tied_width and wanted.hidden_size != needed:
        return (
            f"hidden_size: {queries} heads of the teacher's {heads.channels} channels make "
            f"{needed}, not {wanted.hidden_size}, and its architecture has no other: change "
            "hidden_size or num_attention_heads"
        )
    return ""


def groupings(heads: Heads, queries: int) -> list[int]:
    """Return how many heads of keys and values so many query heads can share alike, ascending."""
    most = heads.queries // heads.key_values
    return [
        groups
        for groups in range(1, heads.key_values + 1)
        if queries % groups == 0 and queries // groups <= most
    ]
