"""The mixture of several models' distributions: what an ensemble of them says."""

import math
from collections.abc import Sequence

import torch


def mixture(weighted: Sequence[tuple[torch.Tensor, float]]) -> torch.Tensor:
    """Return the log of the weighted mean of distributions: probabilities are averaged, not logits.

    Args:
        weighted: (…, vocabulary) log probabilities with their shares, which sum to one.
    """
    if len(weighted) == 1:
        return weighted[0][0]
    return torch.stack([log_probs + math.log(share) for log_probs, share in weighted]).logsumexp(0)
