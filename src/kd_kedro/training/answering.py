"""Asking a language model: its greedy answers, and how likely it finds given ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from tqdm import tqdm

from kd_kedro.training.examples import (
    IGNORED,
    batches_by_length,
    collate,
    encode,
    encode_prompts,
    pad_token_id,
)
from kd_kedro.training.language_model import LanguageModel


def generate_answers(
    language_model: LanguageModel,
    questions: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int,
) -> list[str]:
    """Answer questions greedily.

    Prompts of like length are answered together, padded on the left with the mask and positions
    that make a padded answer equal the unpadded one.

    Args:
        language_model: Who answers.
        questions: What is asked, as plain text.
        max_new_tokens: Most tokens of an answer; less where the model has no more positions.
        batch_size: Questions answered together.

    Returns:
        One answer for each question, in order, without surrounding blanks.
    """
    model, tokenizer = language_model.model, language_model.tokenizer
    limit = language_model.max_length
    new_tokens = min(max_new_tokens, limit - 1)
    prompts = [ids[-(limit - new_tokens) :] for ids in encode_prompts(tokenizer, questions)]
    answers = [""] * len(prompts)
    with evaluating(model), tqdm(total=len(prompts), desc="answers", unit="row") as bar:
        for chosen in batches_by_length([len(ids) for ids in prompts], batch_size):
            generated = _generate(model, tokenizer, [prompts[i] for i in chosen], new_tokens)
            texts = tokenizer.batch_decode(generated, skip_special_tokens=True)
            for index, text in zip(chosen, texts, strict=True):
                answers[index] = text.strip()
            bar.update(len(chosen))
    return answers


def score_answers(
    language_model: LanguageModel,
    questions: Sequence[str],
    answers: Sequence[str],
    *,
    batch_size: int,
) -> list[dict[str, Any]]:
    """Score given answers, token by token, as the model would have predicted them.

    Args:
        language_model: Who judges.
        questions: The questions.
        answers: The answers to be scored, one for each question.
        batch_size: Rows scored together.

    Returns:
        One record for each row, in order: `nll` (float, nats summed over the answer tokens, the
        end-of-sequence token included), `answer_tokens` (int) and `top1` (int64 array of
        answer_tokens, the model's own first choice at each of these positions).
    """
    model, tokenizer = language_model.model, language_model.tokenizer
    ids = [str(number) for number in range(len(questions))]
    examples = encode(tokenizer, ids, questions, answers, language_model.max_length)
    records: list[dict[str, Any]] = [{} for _ in examples]
    with evaluating(model), tqdm(total=len(examples), desc="scores", unit="row") as bar:
        for chosen in batches_by_length([len(e.input_ids) for e in examples], batch_size):
            batch = collate([examples[index] for index in chosen], pad_token_id(tokenizer))
            labels = batch.labels.to(model.device)
            logits = answer_logits(model, batch.input_ids.to(model.device), labels).float()
            nll = torch.nn.functional.cross_entropy(
                logits, labels[labels != IGNORED], reduction="none"
            ).cpu()
            top1 = logits.argmax(-1).cpu()
            sizes = [examples[index].answer_tokens for index in chosen]
            for index, row_nll, row_top1 in zip(
                chosen, torch.split(nll, sizes), torch.split(top1, sizes), strict=True
            ):
                records[index] = {
                    "nll": float(row_nll.double().sum()),
                    "answer_tokens": len(row_nll),
                    "top1": row_top1.numpy(),
                }
            bar.update(len(chosen))
    return records


def answer_logits(model: Any, input_ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the logits of the answer positions alone.

    The hidden states are selected before the language-model head, so nothing of size
    rows x longest x vocabulary exists.

    Args:
        model: A causal language model whose head is one linear layer.
        input_ids: (rows, longest) int64, right-padded.
        labels: (rows, longest) int64, shifted, IGNORED outside the answers.

    Returns:
        (answer tokens, vocabulary), row by row, in the dtype the model computes in.
    """
    hidden = model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state
    logits: torch.Tensor = model.get_output_embeddings()(hidden[labels != IGNORED])
    return logits


def _generate(model: Any, tokenizer: Any, prompts: list[list[int]], new_tokens: int) -> Any:
    longest = max(len(ids) for ids in prompts)
    padding = pad_token_id(tokenizer)
    input_ids = torch.tensor([[padding] * (longest - len(ids)) + ids for ids in prompts])
    mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts])
    generated = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=mask.to(model.device),
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0).to(model.device),
        max_new_tokens=new_tokens,
        do_sample=False,
        num_beams=1,
        use_cache=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=padding,
    )
    return generated[:, longest:]


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Inference mode with the model in eval(), put back as it was afterwards."""
    was_training = bool(model.training)
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)
