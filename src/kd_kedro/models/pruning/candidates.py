"""Shapes within a budget that can be cut out of a teacher, from deep and narrow to flat and wide.

Muralidharan et al. 2024, arXiv:2407.14679 (section on lightweight architecture search): of all
shapes near a budget a handful is trained a little, since no rule tells beforehand which is best.
Here each of a few depths has one shape, the widest that meets the budget: hidden size, heads and
neurons are about the same share of the teacher's, then neurons take what is left.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch

from kd_kedro.models.layer_copying import blocks, shortened, untrained
from kd_kedro.models.model_config import PruningConfig
from kd_kedro.models.pruning.architectures import (
    GATES_NEURONS,
    HEAD_NUMBERS,
    HEADS,
    HIDDEN,
    KEY_VALUES,
    NEURONS,
    QKV,
    Axis,
    architecture_of,
    axes_of,
)
from kd_kedro.models.pruning.prune import KEY, heads_of, pruned_shape, shape_of
from kd_kedro.models.pruning.shape import Heads, Shape, groupings

MOST = 6  # candidates
_WIDTHS = 32  # shares of the teacher's width that are tried
_MULTIPLES = (64, 32, 16, 8, 4, 2)  # what processors like sizes to be multiples of
_FEWEST_STEPS = 16  # a size is cut in at least so many steps, where its divisors allow it

Cost = Callable[[Shape], float]  # of a shape, as a share of the teacher's


def candidate_shapes(teacher: Any, config: PruningConfig, cost: Cost) -> list[Shape]:
    """Return at most `MOST` shapes within a budget, the flattest first.

    Args:
        teacher: A model of a supported architecture; an outline will do.
        config: Has a budget.
        cost: What the budget bounds; it grows with every size.

    Raises:
        ValueError: No shape meets the budget.
    """
    check_budget(teacher, config, cost)
    _, share = config.budget
    most = shape_of(teacher).num_hidden_layers

    def deepest(width: int) -> int:
        depths = range(1, most + 1)
        return bisect_right(depths, share, key=lambda depth: cost(_widths(teacher, depth)[width]))

    def widest(shapes: Sequence[Shape]) -> Shape:
        return shapes[max(1, bisect_right(shapes, share, key=cost)) - 1]

    depths = _spread(range(max(1, deepest(-1)), deepest(0) + 1))
    return [widest(_with_more_neurons(teacher, widest(_widths(teacher, d)))) for d in depths]


def check_budget(teacher: Any, config: PruningConfig, cost: Cost) -> None:
    """Refuse a budget that not even the smallest shape meets.

    Raises:
        ValueError: The message says what the smallest shape takes.
    """
    name, share = config.budget
    smallest = _widths(teacher, 1)[0]
    if (least := cost(smallest)) > share:
        raise ValueError(
            f"{KEY}.{name} is {share:g}, but the smallest shape that can be cut out of the teacher "
            f"({shape_words(smallest)}) has {least:.2g} of its {name}: give more than that"
        )


def shape_words(shape: Shape) -> str:
    """Return a shape in words."""
    names = ("layers", "hidden channels", "heads", "neurons")
    return ", ".join(f"{size} {name}" for size, name in zip(shape, names, strict=True))


def count_parameters(model: Any) -> Callable[[Shape], int]:
    """Return what counts the parameters that a shape cut out of a model has, tied ones once.

    Args:
        model: A model of a supported architecture; an outline will do.
    """
    axes, heads = axes_of(model), heads_of(model)
    stacks = tuple(blocks(model))
    weights = Counter(
        (_layer(name, stacks), axes[name], tuple(weight.shape))
        for name, weight in model.named_parameters()
    )

    def count(shape: Shape) -> int:
        total = 0
        for (layer, own, sizes), times in weights.items():
            if layer < shape.num_hidden_layers:
                product = times
                for axis, size in zip(own, sizes, strict=True):
                    product *= _length(axis, size, shape, heads)
                total += product
        return total

    return count


def random_of_shape(teacher: Any, shape: Shape) -> Any:
    """Return a float32 model with random weights of a shape cut out of a teacher.

    Args:
        teacher: A model of a supported architecture; an outline will do.
        shape: A shape that can be cut out of it.
    """
    with torch.device("meta"):
        layers = range(shape.num_hidden_layers)
        shorter = untrained(teacher, 0, shortened(teacher.config, layers))
    return pruned_shape(shorter, shape, 0)


def _widths(teacher: Any, layers: int) -> list[Shape]:
    """Return shapes of a depth, the narrowest first, the teacher's width last."""
    present, heads = shape_of(teacher), heads_of(teacher)
    tied = architecture_of(teacher).tied_width
    possible = [count for count in range(1, heads.queries + 1) if groupings(heads, count)]
    shapes = []
    for step in range(1, _WIDTHS + 1):
        share = step / _WIDTHS
        queries = min(possible, key=lambda count: abs(count - share * heads.queries))
        shapes.append(
            Shape(
                layers,
                queries * heads.channels if tied else _near(present.hidden_size, share),
                queries,
                _near(present.intermediate_size, share),
            )
        )
    return list(dict.fromkeys(shapes))


def _with_more_neurons(teacher: Any, shape: Shape) -> list[Shape]:
    """Return a shape, and it with more and more neurons."""
    most = shape_of(teacher).intermediate_size
    sizes = range(shape.intermediate_size, most + 1, _step(most))
    return [shape._replace(intermediate_size=size) for size in sizes]


def _near(size: int, share: float) -> int:
    """Return the size in steps that is nearest to a share of a size."""
    return max(1, round(share * size / _step(size))) * _step(size)


def _step(size: int) -> int:
    """Return the divisor of a size in steps of which it is cut."""
    divisors = [each for each in _MULTIPLES if size % each == 0 and size >= each * _FEWEST_STEPS]
    return divisors[0] if divisors else 1


def _spread(depths: Sequence[int]) -> list[int]:
    """Return at most `MOST` depths, evenly spread, the first and the last among them."""
    if len(depths) <= MOST:
        return list(depths)
    return [depths[round(place * (len(depths) - 1) / (MOST - 1))] for place in range(MOST)]


def _layer(name: str, stacks: Sequence[str]) -> int:
    """Return the number of the layer that a weight belongs to; -1 where it belongs to none."""
    for stack in stacks:
        if name.startswith(f"{stack}."):
            return int(name.removeprefix(f"{stack}.").split(".", 1)[0])
    return -1


def _length(axis: Axis, size: int, shape: Shape, heads: Heads) -> int:
    queries = shape.num_attention_heads
    groups = groupings(heads, queries)[-1]
    lengths = {
        HIDDEN: shape.hidden_size,
        NEURONS: shape.intermediate_size,
        GATES_NEURONS: 2 * shape.intermediate_size,
        HEADS: queries * heads.channels,
        QKV: (queries + 2 * groups) * heads.channels,
        KEY_VALUES: groups * heads.channels,
        HEAD_NUMBERS: queries,
    }
    return lengths.get(axis.kind, size)
