"""A model as a sequence of steps: the prompt once, then token by token with a cache.

What is timed and compared in the compression certificate, whatever computes it: `steps(ids, mask,
cache)` returns the logits of the tokens read and the cache for the next step.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from tqdm import tqdm

from kd_kedro.losses.mixture import mixture
from kd_kedro.models.encoding import IGNORED, Example, batches_by_length, collate
from kd_kedro.models.modes import decoder_start

# (batch, new) int64 ids, (batch, read so far) int64 mask, cache -> (batch, new, vocabulary), cache
Steps = Callable[[torch.Tensor, torch.Tensor, Any], tuple[torch.Tensor, Any]]


def positions_of(mask: torch.Tensor, new: int) -> torch.Tensor:
    """Return the (batch, new) positions of the last `new` tokens under a mask padded left."""
    return (mask.cumsum(-1) - 1).clamp(min=0)[:, -new:]


def model_steps(model: Any, *, last_only: bool = False, prefix: Sequence[int] = ()) -> Steps:
    """Return the steps of a torch model; an encoder reads the prompt, its decoder the rest.

    Args:
        model: Causal or encoder-decoder.
        last_only: Where the model can, put the head on the last token of a step alone, as
            transformers does when it generates.
        prefix: What a decoder reads before the answer; its first token where left out.
    """
    if model.config.is_encoder_decoder:
        return _decoder_steps(model, prefix or (decoder_start(model) or 0,))
    can = "logits_to_keep" in inspect.signature(model.forward).parameters
    return _causal_steps(model, {"logits_to_keep": 1} if last_only and can else {})


def mixed_steps(weighted: Sequence[tuple[Steps, float]], vocabulary: int) -> Steps:
    """Return the steps of an ensemble: log probabilities of the mean of its distributions.

    Args:
        weighted: The steps of each model with its share; the shares sum to one.
        vocabulary: Number of ids that all of them have.
    """

    def step(ids: torch.Tensor, mask: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
        caches = cache or [None] * len(weighted)
        made = [one(ids, mask, own) for (one, _), own in zip(weighted, caches, strict=True)]
        parts = [
            (logits[..., :vocabulary].float().log_softmax(-1).to(made[0][0].device), share)
            for (logits, _), (_, share) in zip(made, weighted, strict=True)
        ]
        return mixture(parts), [own for _, own in made]

    return step


def score_with(
    steps: Steps, examples: Sequence[Example], *, padding: int, batch_size: int, name: str
) -> list[dict[str, Any]]:
    """Score given answers of a causal model, as `scoring.score_together` does.

    Args:
        steps: The model.
        examples: Rows with their answers.
        padding: Id that fills a row up on the right.
        batch_size: Rows scored together.
        name: What the progress bar says.

    Returns:
        By row `nll` (float, nats summed over the answer tokens), `answer_tokens` (int) and `top1`
        (int64 array of answer_tokens).
    """
    records: list[dict[str, Any]] = [{} for _ in examples]
    bar = tqdm(total=len(examples), desc=name, unit="row", disable=None)
    with torch.inference_mode(), bar:
        for chosen in batches_by_length([len(row.input_ids) for row in examples], batch_size):
            batch = collate([examples[index] for index in chosen], padding)
            # Causal attention never looks right, where the padding is: all may be attended to.
            logits, _ = steps(batch.input_ids, torch.ones_like(batch.input_ids), None)
            answered = batch.labels != IGNORED
            kept = logits.float().cpu()[answered]
            nll = torch.nn.functional.cross_entropy(kept, batch.answers, reduction="none")
            sizes = answered.sum(1).tolist()
            top1 = torch.split(kept.argmax(-1), sizes)
            parts = zip(chosen, torch.split(nll, sizes), top1, strict=True)
            for index, row_nll, row_top1 in parts:
                records[index] = {
                    "nll": float(row_nll.double().sum()),
                    "answer_tokens": len(row_nll),
                    "top1": row_top1.numpy(),
                }
            bar.update(len(chosen))
    return records


def largest_logit_difference(one: Steps, other: Steps, rows: Sequence[Sequence[int]]) -> float:
    """Return the largest difference of two models' logits relative to the largest logit.

    Each row is read as a prompt and one further token, so that the cache is looked at too.

    Args:
        one: A causal model.
        other: Another with the same tokens.
        rows: Token ids, at least two a row.
    """
    largest, scale = 0.0, 1e-12
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([list(row)])
            mask = torch.ones_like(ids)
            caches: list[Any] = [None, None]
            for part, read in ((ids[:, :-1], mask[:, :-1]), (ids[:, -1:], mask)):
                logits = []
                for number, steps in enumerate((one, other)):
                    made, caches[number] = steps(part, read, caches[number])
                    logits.append(made.float().cpu())
                largest = max(largest, float((logits[0] - logits[1]).abs().max()))
                scale = max(scale, float(logits[0].abs().max()))
    return largest / scale


def _causal_steps(model: Any, kept: dict[str, int]) -> Steps:
    device = next(iter(model.parameters())).device

    def step(ids: torch.Tensor, mask: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
        output = model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=positions_of(mask, ids.shape[1]).to(device),
            past_key_values=cache,
            use_cache=True,
            **kept,
        )
        return output.logits, output.past_key_values

    return step


def _decoder_steps(model: Any, prefix: Sequence[int]) -> Steps:
    device = next(iter(model.parameters())).device

    def step(ids: torch.Tensor, mask: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
        if cache is None:
            prompt = mask.to(device)
            encoded = model.get_encoder()(input_ids=ids.to(device), attention_mask=prompt)
            ids, past = torch.tensor([list(prefix)] * len(ids)), None
        else:
            encoded, prompt, past = cache
        output = model(
            encoder_outputs=encoded,
            attention_mask=prompt,
            decoder_input_ids=ids.to(device),
            past_key_values=past,
            use_cache=True,
        )
        return output.logits, (encoded, prompt, output.past_key_values)

    return step
