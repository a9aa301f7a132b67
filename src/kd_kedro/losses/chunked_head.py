"""A loss on top of a language-model head, in memory that does not grow with the vocabulary.

The head is applied to a few tokens at a time. Where gradients are wanted, those of a chunk are
taken at once, so its logits are gone before the next chunk's are made, and nothing is computed
twice: three matrix products of the head's size, as without chunks.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

# Logits held at once: 32 MiB of float32. Many more are slower on a processor, for they leave its
# caches; many fewer make the matrix products too thin. A GPU needs more to be busy.
CHUNK_VALUES = 2**23
ON_GPU = 16
# A GPU multiplies matrices whose rows are no multiple of 16 bytes several times more slowly: on an
# H200 the head of GPT-2, whose vocabulary is odd, took 45 % of a step. 8 values of 2 bytes are 16.
MULTIPLES = {"cuda": 8}

# (logits of a chunk, its first token, its end) -> (parts,) sums, the first of which is minimised.
ChunkLoss = Callable[[torch.Tensor, int, int], torch.Tensor]


def head_loss(hidden: torch.Tensor, head: Any, loss: ChunkLoss, parts: int) -> torch.Tensor:
    """Return the sums of a loss over all tokens; only the first of them carries a gradient.

    Args:
        hidden: (tokens, width), what the head is given.
        head: A linear layer of (vocabulary, width) weights, with or without a bias.
        loss: Called with (chunk, vocabulary) logits and the chunk's range of tokens.
        parts: Number of sums that `loss` returns.

    Returns:
        (parts,) in float32, or float64 where the logits are.
    """
    dtype = torch.promote_types(hidden.dtype, torch.float32)
    sums: torch.Tensor = _HeadLoss.apply(  # type: ignore[no-untyped-call]
        hidden, head.weight, head.bias, loss, parts, dtype, torch.is_grad_enabled()
    )
    return sums


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        loss: ChunkLoss,
        parts: int,
        dtype: torch.dtype,
        wanted: bool,
    ) -> torch.Tensor:
        wants = [wanted and ctx.needs_input_grad[place] for place in range(3)]
        # Every value is written by the first chunk; without any there is nothing to add up.
        new = torch.empty_like if len(hidden) else torch.zeros_like
        grads = [
            new(tensor) if want and tensor is not None else None
            for want, tensor in zip(wants, (hidden, weight, bias), strict=True)
        ]
        computed = torch.get_autocast_dtype(hidden.device.type)
        autocast = torch.is_autocast_enabled(hidden.device.type)
        narrow = aligned(weight.to(computed) if autocast else weight)
        sums = torch.zeros(parts, dtype=dtype, device=hidden.device)
        step = chunk_tokens(hidden, weight.shape[0])
        for start in range(0, len(hidden), step):
            chunk = hidden[start : start + step].to(narrow.dtype)
            logits = torch.nn.functional.linear(chunk, narrow)[:, : len(weight)].to(dtype)
            if bias is not None:
                logits += bias
            with torch.set_grad_enabled(any(wants)):
                leaf = logits.requires_grad_(any(wants))
                values = loss(leaf, start, start + len(chunk))
                minimised = values[0]
            sums += values.detach()
            if any(wants):
                (slope,) = torch.autograd.grad(minimised, leaf)
                _add_gradients(slope, chunk, narrow, grads, start)
        ctx.save_for_backward(*(grad for grad in grads if grad is not None))
        ctx.wants = [grad is not None for grad in grads]
        return sums

    @staticmethod
    def backward(ctx: Any, outer: torch.Tensor) -> Any:  # type: ignore[override]
        saved = iter(ctx.saved_tensors)
        grads = [next(saved).mul_(outer[0]) if wanted else None for wanted in ctx.wants]
        return (*grads, None, None, None, None)


def aligned(weight: torch.Tensor) -> torch.Tensor:
    """Return a head's weights with rows of zeros to a size that a GPU is quick with.

    Args:
        weight: (vocabulary, width).

    Returns:
        (vocabulary or a few more, width); the weights themselves where there is nothing to gain.
    """
    missing = -len(weight) % MULTIPLES.get(weight.device.type, 1)
    return torch.nn.functional.pad(weight, (0, 0, 0, missing)) if missing else weight


def head_logits(head: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Return (tokens, vocabulary) logits of (tokens, width) states; no gradient is meant.

    Args:
        head: A language-model head; where it is no plain linear layer it is called as it is.
        hidden: What it is given.
    """
    weight = aligned(head.weight) if type(head) is torch.nn.Linear else None
    if weight is None or weight is head.weight:
        logits: torch.Tensor = head(hidden)
        return logits
    logits = torch.nn.functional.linear(hidden, weight)[:, : len(head.weight)]
    return logits if head.bias is None else logits + head.bias


def chunk_tokens(hidden: torch.Tensor, vocabulary: int) -> int:
    """Return the size of equal chunks: a last one of few tokens would read the head for those.

    Args:
        hidden: (tokens, width), what the head is given.
        vocabulary: Number of logits that it makes of each.
    """
    held = CHUNK_VALUES * (1 if hidden.device.type == "cpu" else ON_GPU)
    most = max(1, held // vocabulary)
    return max(1, math.ceil(len(hidden) / max(1, math.ceil(len(hidden) / most))))


def _add_gradients(
    slope: torch.Tensor,
    chunk: torch.Tensor,
    weight: torch.Tensor,
    grads: list[torch.Tensor | None],
    start: int,
) -> None:
    """Add what a chunk's logits, by their (chunk, vocabulary) slope, do to hidden, weight, bias.

    The first chunk overwrites what is there. `weight` may have rows of zeros at its end.
    """
    hidden_grad, weight_grad, bias_grad = grads
    if bias_grad is not None:
        _add(bias_grad, slope.sum(0), start)
    vocabulary = slope.shape[1]
    whole = slope = slope.to(weight.dtype)
    if vocabulary < len(weight):  # then its rows are aligned too
        whole = torch.nn.functional.pad(slope, (0, len(weight) - vocabulary))
        slope = whole[:, :vocabulary]
    if hidden_grad is not None:
        hidden_grad[start : start + len(chunk)] = whole @ weight
    if weight_grad is not None and weight_grad.dtype == slope.dtype:
        weight_grad.addmm_(slope.T, chunk, beta=int(start > 0))
    elif weight_grad is not None:
        _add(weight_grad, slope.T @ chunk, start)


def _add(total: torch.Tensor, part: torch.Tensor, start: int) -> None:
    if start:
        total += part
    else:
        total.copy_(part)
