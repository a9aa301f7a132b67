"""Hidden states in 8 bits, with one scale for each token."""

import torch

LARGEST = 127  # of a signed byte, so that zero lies in the middle


def to_8_bits(hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return hidden states rounded to 1/127 of the largest channel of their token.

    Args:
        hidden: (tokens, channels) of any float dtype.

    Returns:
        (tokens, channels) int8, and (tokens,) float32 that multiply them.
    """
    whole = hidden.float()
    scales = whole.abs().amax(-1) / LARGEST
    rounded = (whole / scales.clamp(min=torch.finfo(torch.float32).tiny)[:, None]).round()
    return rounded.to(torch.int8), scales


def from_8_bits(rounded: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Return (tokens, channels) float32 of what `to_8_bits` made."""
    return rounded.float() * scales[:, None]
