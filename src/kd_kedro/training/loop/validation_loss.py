"""The loss on validation rows, exact over all of them."""

from collections.abc import Sequence

import torch

from kd_kedro.models.encoding import Example, batches_by_length, collate
from kd_kedro.models.modes import decoder_start
from kd_kedro.models.precision import autocast
from kd_kedro.training.loop.distillation_module import DistillationModule


def summed_cross_entropy(
    module: DistillationModule,
    rows: Sequence[Example],
    padding: int,
    precision: str,
    batch_size: int = 64,
    rank: int = 0,
    ranks: int = 1,
) -> torch.Tensor:
    """Return (2,) float64: the cross-entropy of a process's share of the rows, and its tokens.

    Args:
        module: The module whose model is asked, as it is wrapped for training.
        rows: All rows.
        padding: The padding token.
        precision: `fp32` or `bf16`.
        batch_size: Rows of a forward pass over all processes; each runs as many passes.
        rank: Which process this is.
        ranks: Number of processes.
    """
    model, was_training = module.model, module.training
    start, device = decoder_start(model), model.device
    sums = torch.zeros(2, dtype=torch.float64)
    module.eval()
    # Not inference_mode: sharded weights gathered in it could not be trained with afterwards.
    with torch.no_grad(), autocast(precision, device):
        for chosen in batches_by_length([len(row.input_ids) for row in rows], batch_size):
            mine = [rows[index] for index in chosen[rank::ranks]]
            batch = collate(mine or [nothing(padding)], padding, start).to(device)
            sums[0] += module(batch, None).cross_entropy.item()
            sums[1] += len(batch.answers)
    module.train(was_training)
    return sums


def nothing(padding: int) -> Example:
    """Return a row without answer tokens, for a process that would have none."""
    return Example("", (padding,), 1)
