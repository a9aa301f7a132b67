"""Log probabilities of a few tokens, and of all others together, out of many logits."""

from typing import Any

import torch


def event_log_probs(logits: torch.Tensor, ids: torch.Tensor, bucketed: int) -> torch.Tensor:
    """Return log probabilities of chosen tokens and, where asked, of the rest as one bucket.

    The logits are exponentiated once, and their gradient is written out by hand: with q the
    softmax, r the softmax over the rest alone and g_e the slope of event e,
    dL/dz_j = [j is e] g_e + [j in the rest] g_rest r_j - q_j sum(g).

    The rest is a sum over its own tokens; 1 - sum of the chosen ones would lose a small tail to
    rounding, and its gradient with it. Below e^-87 of the likeliest token it counts as e^-87.

    Args:
        logits: (tokens, vocabulary) float32 or float64.
        ids: (tokens, events) int64; the first `bucketed` of a token must differ.
        bucketed: Number of ids that the bucket leaves out; 0 for no bucket.

    Returns:
        (tokens, events), or (tokens, events + 1) with the bucket last.
    """
    events: torch.Tensor = _EventLogProbs.apply(logits, ids, bucketed)  # type: ignore[no-untyped-call]
    return events


class _EventLogProbs(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, logits: torch.Tensor, ids: torch.Tensor, bucketed: int
    ) -> torch.Tensor:
        top = logits.amax(-1, keepdim=True)
        chosen = logits.gather(1, ids) - top
        powers = (logits - top).exp_()
        total = powers.sum(-1, keepdim=True)
        events = chosen - total.log()
        if not bucketed:
            ctx.save_for_backward(powers, ids, total)
        else:
            powers.scatter_(1, ids[:, :bucketed], 0.0)
            rest = powers.sum(-1, keepdim=True).clamp_min(torch.finfo(powers.dtype).tiny)
            events = torch.cat([events, (rest / total).log()], -1)
            kept = chosen[:, :bucketed].exp()
            ctx.save_for_backward(powers, ids, total, rest, kept)
        ctx.bucketed = bucketed
        return events

    @staticmethod
    def backward(ctx: Any, slopes: torch.Tensor) -> Any:  # type: ignore[override]
        powers, ids, total, *bucket = ctx.saved_tensors
        everything = slopes.sum(-1, keepdim=True) / total
        if not bucket:
            grad = powers.mul_(-everything)
            return grad.scatter_add_(1, ids, slopes), None, None
        rest, kept = bucket
        grad = powers.mul_(slopes[:, -1:] / rest - everything)
        grad.scatter_(1, ids[:, : ctx.bucketed], -everything * kept)
        return grad.scatter_add_(1, ids, slopes[:, :-1]), None, None
