"""What can be told of channels that are gone from those that stay, by least squares.

For states X with second moments G = X^T X the kept columns S predict the others best, in the mean
square, as X_S G_SS^-1 G_SR (ordinary least squares without an intercept). A small multiple of the
identity keeps the solution where G_SS is singular, and is drawn to no prediction at all: what
is never seen changes nothing.
"""

import torch

_RIDGE = 1e-4  # of the mean of the diagonal


def told_by(kept: torch.Tensor, crossed: torch.Tensor) -> torch.Tensor:
    """Return (kept, others) float64: what the kept channels are multiplied by to give the others.

    Args:
        kept: (kept, kept), second moments of the kept channels.
        crossed: (kept, others), their second moments with the others.
    """
    kept, crossed = kept.double(), crossed.double()
    # Channels that are always zero have moments of zero, of which no inverse is.
    ridge = (_RIDGE * kept.diagonal().mean()).clamp_min(torch.finfo(kept.dtype).tiny)
    told: torch.Tensor = torch.linalg.solve(
        kept + ridge * torch.eye(len(kept), dtype=kept.dtype), crossed
    )
    return told


def without(
    weight: torch.Tensor, dimension: int, kept: torch.Tensor, moments: torch.Tensor
) -> torch.Tensor:
    """Return a weight of the kept inputs that says as nearly as it can what the whole said.

    Args:
        weight: Weight of a linear layer.
        dimension: Which of its dimensions runs over its inputs.
        kept: Int64 positions of the inputs that stay.
        moments: (inputs, inputs), second moments of the inputs.
    """
    inputs = weight.double().movedim(dimension, 0)
    gone = torch.ones(len(inputs), dtype=torch.bool).index_fill(0, kept, False).nonzero()[:, 0]
    rows = moments[kept]
    solved = inputs[kept] + told_by(rows[:, kept], rows[:, gone]) @ inputs[gone]
    return solved.movedim(0, dimension).to(weight.dtype)
