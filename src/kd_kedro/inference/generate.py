"""Asking a language model: its greedy answers, and its last states where given ones stand."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from tqdm import tqdm

from kd_kedro.inference.incremental import model_steps
from kd_kedro.losses.mixture import mixture
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import (
    IGNORED,
    Batch,
    Example,
    batches_by_length,
    begun,
    cut_prompt,
    encode_prompts,
    pad_token_id,
)
from kd_kedro.models.marks import marks
from kd_kedro.models.modes import decoder_start, evaluating
from kd_kedro.models.prompt_format import Asked


def generate_answers(
    language_model: LanguageModel,
    questions: Sequence[Asked],
    *,
    max_new_tokens: int,
    batch_size: int,
) -> list[str]:
    """Answer questions greedily; an ensemble answers with the likeliest token of its mean.

    Prompts of like length are answered together, padded on the left with the mask and positions
    that make a padded answer equal the unpadded one. A prompt that fits into the model is read
    whole, and its answer has the tokens that are left; a longer one loses its beginning.

    Args:
        language_model: Who answers.
        questions: What is asked: questions, or the fields of prompts.
        max_new_tokens: Most tokens of an answer; less where the model has no more positions.
        batch_size: Questions answered together.

    Returns:
        One answer for each question, in order, without surrounding blanks.
    """
    written = write_answers(
        language_model, questions, max_new_tokens=max_new_tokens, batch_size=batch_size
    )
    return [text for text, _ in written]


def write_answers(
    language_model: LanguageModel,
    questions: Sequence[Asked],
    *,
    max_new_tokens: int,
    batch_size: int,
) -> list[tuple[str, bool]]:
    """Answer questions as `generate_answers` does, and say of each whether it came to its end."""
    weighted = [(member.model, share) for member, share in language_model.members]
    tokenizer, limit = language_model.tokenizer, language_model.max_length
    new_tokens = min(max_new_tokens, limit - 1)
    apart = [model.config.is_encoder_decoder for model, _ in weighted]
    cut = max(limit - new_tokens, limit // 2)
    prompts = _prompts(tokenizer, questions, limit, cut, any(apart))
    # A decoder of its own counts its positions from the answer's first token.
    rooms = [min(new_tokens, limit - (0 if all(apart) else len(row.input_ids))) for row in prompts]
    answers = [("", False)] * len(prompts)
    with ExitStack() as stack:
        for model, _ in weighted:
            stack.enter_context(evaluating(model))
        bar = stack.enter_context(
            tqdm(total=len(prompts), desc="answers", unit="row", disable=None)
        )
        for room, chosen in _batches(prompts, rooms, batch_size):
            rows = [prompts[index] for index in chosen]
            if len(weighted) == 1:
                generated = _generate(weighted[0][0], tokenizer, rows, room)
            else:
                generated = _generate_together(weighted, tokenizer, rows, room)
            texts = tokenizer.batch_decode(generated, skip_special_tokens=True)
            ended = (generated == tokenizer.eos_token_id).any(1).tolist()
            for index, text, whole in zip(chosen, texts, ended, strict=True):
                answers[index] = (text.strip(), whole)
            bar.update(len(chosen))
    return answers


def answer_states(model: Any, batch: Batch) -> torch.Tensor:
    """Return what the language-model head is given at the answer positions, and nowhere else.

    The model runs as it is, with whatever it does between its last block and its head, and the
    head is kept from every token: nothing of size rows x longest x vocabulary exists.

    Args:
        model: A causal or encoder-decoder language model whose head is one linear layer.
        batch: On the model's device.

    Returns:
        (answer tokens, width), row by row, in the dtype the model computes in.
    """
    selected: list[torch.Tensor] = []

    def select(_: Any, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        selected.append(given[0][batch.labels != IGNORED])
        return (selected[0][:0],)

    inputs: dict[str, Any]
    if batch.encoder_ids is None:
        inputs = {"input_ids": batch.input_ids}
    else:
        inputs = {
            "input_ids": batch.encoder_ids,
            "attention_mask": batch.encoder_mask,
            "decoder_input_ids": batch.input_ids,
        }
    hook = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        model(**inputs, use_cache=False)
    finally:
        hook.remove()
    return selected[0]


def _prompts(
    tokenizer: Any, questions: Sequence[Asked], limit: int, cut: int, for_encoder: bool
) -> list[Example]:
    """Return prompts without answers; one that leaves no room within `limit` is cut to `cut`."""
    begin, end = marks(tokenizer)
    after = end if for_encoder else ()
    encoded = encode_prompts(tokenizer, questions)
    fitting = [
        ids
        if len(ids) + len(after) < limit
        else cut_prompt(ids, cut - len(after), begun(ids, begin))
        for ids in encoded
    ]
    return [Example("", tuple(ids), len(ids), begun(ids, begin), after) for ids in fitting]


def _batches(
    prompts: Sequence[Example], rooms: Sequence[int], batch_size: int
) -> Iterator[tuple[int, list[int]]]:
    """Yield places of prompts of like length whose answers have the same room, with that room.

    A longer neighbour would else take room from the answer of a shorter prompt.
    """
    for room in sorted(set(rooms), reverse=True):
        places = [place for place, own in enumerate(rooms) if own == room]
        sizes = [len(prompts[place].input_ids) for place in places]
        for chosen in batches_by_length(sizes, batch_size):
            yield room, [places[index] for index in chosen]


def _padded(model: Any, padding: int, rows: list[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (rows, longest) ids and mask of prompts, as the model's encoder or it reads them."""
    start = decoder_start(model)
    prompts = [list(row.input_ids if start is None else row.encoder_ids) for row in rows]
    longest = max(len(ids) for ids in prompts)

    def padded(rows: list[list[int]], filler: int) -> torch.Tensor:
        fill = [[filler] * (longest - len(row)) for row in rows]
        # An encoder counts positions from the left, a causal model goes on at the right.
        pairs = zip(fill, rows, strict=True) if start is None else zip(rows, fill, strict=True)
        return torch.tensor([left + right for left, right in pairs], device=model.device)

    return padded(prompts, padding), padded([[1] * len(ids) for ids in prompts], 0)


def _generate(model: Any, tokenizer: Any, rows: list[Example], new_tokens: int) -> Any:
    padding, start = pad_token_id(tokenizer), decoder_start(model)
    ids, mask = _padded(model, padding, rows)
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    if start is None:
        read = ids.shape[1]
        inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
    else:
        before = torch.tensor([row.decoder_prefix(start) for row in rows], device=model.device)
        read = before.shape[1]
        inputs |= {"decoder_input_ids": before, "decoder_start_token_id": start}
    generated = model.generate(
        **inputs,
        max_new_tokens=new_tokens,
        do_sample=False,
        num_beams=1,
        use_cache=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=padding,
    )
    return generated[:, read:]


def _generate_together(
    weighted: Sequence[tuple[Any, float]], tokenizer: Any, rows: list[Example], new_tokens: int
) -> torch.Tensor:
    """Return (rows, tokens) the likeliest tokens of the mean of several models' probabilities."""
    padding, vocabulary = pad_token_id(tokenizer), len(tokenizer)
    readers = [(_reader(model, padding, rows), share) for model, share in weighted]
    token: torch.Tensor | None = None
    written: list[torch.Tensor] = []
    ended = torch.zeros(len(rows), dtype=torch.bool)
    while len(written) < new_tokens and not ended.all():
        log_probs = mixture(
            [
                (read(token)[:, :vocabulary].float().log_softmax(-1).cpu(), share)
                for read, share in readers
            ]
        )
        token = log_probs.argmax(-1).masked_fill(ended, padding)
        ended = ended | (token == tokenizer.eos_token_id)
        written.append(token)
    return torch.stack(written, 1)


def _reader(
    model: Any, padding: int, rows: list[Example]
) -> Callable[[torch.Tensor | None], torch.Tensor]:
    """Return what gives (rows, vocabulary) logits, after the prompts and then after each token."""
    start = decoder_start(model)
    prefix = () if start is None else rows[0].decoder_prefix(start)
    steps = model_steps(model, last_only=True, prefix=prefix)
    ids, mask = _padded(model, padding, rows)
    cache: Any = None

    def read(token: torch.Tensor | None) -> torch.Tensor:
        nonlocal ids, mask, cache
        if token is not None:
            ids = token[:, None]
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], 1)
        logits, cache = steps(ids, mask, cache)
        return logits[:, -1]

    return read
