"""Question-answer rows as token sequences, and sequences as right-padded batches.

Prompt and answer are tokenised apart and joined, so that the prompt of training is, token for
token, the prompt of generation, and the first answer token is known without guessing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

TEMPLATE = "Question: {question}\nAnswer:"
IGNORED = -100  # the label of a position that is no answer, as everywhere in transformers


@dataclass(frozen=True)
class Example:
    """One row as tokens.

    Attributes:
        row_id: The identity that teacher targets are joined by.
        input_ids: Prompt, answer and, unless the answer was cut, the end-of-sequence token.
        answer_start: Where in `input_ids` the answer begins; at least 1.
    """

    row_id: str
    input_ids: tuple[int, ...]
    answer_start: int

    @property
    def answer_tokens(self) -> int:
        """How many tokens the loss is taken over, the end-of-sequence token included."""
        return len(self.input_ids) - self.answer_start


@dataclass(frozen=True)
class Batch:
    """Right-padded examples.

    Attributes:
        row_ids: One id for each row of the batch.
        input_ids: (rows, longest) int64, padded on the right. Causal attention never looks to the
            right, so neither an attention mask nor position ids are needed to be exact. Of an
            encoder-decoder model: what its decoder reads, the answer shifted by one.
        labels: (rows, longest) int64, already shifted: `labels[i, t]` is the answer token that
            the hidden state at `t` must predict, IGNORED where it predicts no answer token.
        encoder_ids: (rows, longest prompt) int64, the prompts an encoder reads; None without one.
        encoder_mask: Mask of `encoder_ids`: 1 where a prompt is, 0 where it is padding.
        written: Whether people wrote the answers; False where the student sampled them itself.
    """

    row_ids: tuple[str, ...]
    input_ids: torch.Tensor
    labels: torch.Tensor
    encoder_ids: torch.Tensor | None = None
    encoder_mask: torch.Tensor | None = None
    written: bool = True

    @property
    def answers(self) -> torch.Tensor:
        """(answer tokens,) int64, the labels of the answer positions, row by row."""
        return self.labels[self.labels != IGNORED]

    def to(self, device: Any) -> "Batch":
        """Return the batch on another device."""
        return replace(
            self,
            input_ids=self.input_ids.to(device),
            labels=self.labels.to(device),
            encoder_ids=None if self.encoder_ids is None else self.encoder_ids.to(device),
            encoder_mask=None if self.encoder_mask is None else self.encoder_mask.to(device),
        )


def prompt_text(question: str) -> str:
    """Return what a model is given to read, before it is cut into tokens."""
    return TEMPLATE.format(question=question)


def encode_prompts(tokenizer: Any, questions: Sequence[str]) -> list[list[int]]:
    """Return the prompt of each question as token ids, the question's own text kept literal."""
    if not questions:
        return []
    prompts = [prompt_text(question) for question in questions]
    # split_special_tokens: a question that quotes the end-of-sequence token does not end there.
    ids = tokenizer(prompts, split_special_tokens=True, return_attention_mask=False)["input_ids"]
    return [list(row) for row in ids]


def encode(
    tokenizer: Any,
    row_ids: Sequence[str],
    questions: Sequence[str],
    answers: Sequence[str],
    max_length: int,
) -> list[Example]:
    """Tokenise rows for training or scoring.

    Args:
        tokenizer: A fast tokenizer with an end-of-sequence token.
        row_ids: Identities of the rows.
        questions: Their questions.
        answers: Their answers.
        max_length: Most tokens of an example. A longer prompt loses its beginning (at most half
            of the length is given to the prompt then), a longer answer its end; a cut answer has no
            end-of-sequence token, since it does not end there.

    Returns:
        One example for each row, in order.
    """
    if not questions:
        return []
    lead = "" if _adds_space(tokenizer) else " "
    texts = [f"{lead}{answer}" if answer else "" for answer in answers]
    answer_ids = tokenizer(
        texts, split_special_tokens=True, add_special_tokens=False, return_attention_mask=False
    )["input_ids"]
    prompts = encode_prompts(tokenizer, questions)
    return [
        _join(row_id, prompt, [*answer, tokenizer.eos_token_id], max_length)
        for row_id, prompt, answer in zip(row_ids, prompts, answer_ids, strict=True)
    ]


def collate(
    examples: Sequence[Example], pad_token_id: int, decoder_start: int | None = None
) -> Batch:
    """Pad examples on the right into one batch.

    Only positions predict answers that lie inside an example: the end-of-sequence token is a
    label even where it is also the padding token, because labels come from lengths, not from ids.

    Args:
        examples: The rows.
        pad_token_id: What fills a row up.
        decoder_start: The first token a decoder reads, for an encoder-decoder model: it gets the
            prompts as encoder input and predicts the answers alone. None for a causal model.
    """
    row_ids = tuple(example.row_id for example in examples)
    prompts = [example.input_ids[: example.answer_start] for example in examples]
    answers = [example.input_ids[example.answer_start :] for example in examples]
    if decoder_start is None:
        read = [example.input_ids for example in examples]
        unlabelled = [len(prompt) - 1 for prompt in prompts]
    else:
        read = [(decoder_start, *answer[:-1]) for answer in answers]
        unlabelled = [0] * len(examples)
    input_ids = _padded(read, pad_token_id)
    labels = torch.full_like(input_ids, IGNORED)
    for row, (answer, start) in enumerate(zip(answers, unlabelled, strict=True)):
        labels[row, start : start + len(answer)] = torch.tensor(answer, dtype=torch.long)
    if decoder_start is None:
        return Batch(row_ids, input_ids, labels)
    mask = _padded([(1,) * len(prompt) for prompt in prompts], 0)
    return Batch(row_ids, input_ids, labels, _padded(prompts, pad_token_id), mask)


def answered_rows(batch: Batch) -> list[Example]:
    """Return the rows of a batch that have an answer, in order: what `collate` was given."""
    batch = batch.to("cpu")
    answered = batch.labels != IGNORED
    rows = []
    for place in answered.any(1).nonzero()[:, 0].tolist():
        answer = batch.labels[place][answered[place]].tolist()
        if batch.encoder_ids is None or batch.encoder_mask is None:
            # The last token of a prompt predicts the first of its answer: there the labels begin.
            prompt = batch.input_ids[place, : int(answered[place].int().argmax()) + 1].tolist()
        else:
            prompt = batch.encoder_ids[place, : int(batch.encoder_mask[place].sum())].tolist()
        rows.append(Example(batch.row_ids[place], (*prompt, *answer), len(prompt)))
    return rows


def read_by(batch: Batch, decoder_start: int | None) -> Batch:
    """Return a batch laid out for a model with another decoder start, or for one without any.

    Teacher and student may be of different kinds; their answer positions come in the same order.
    """
    start = None if batch.encoder_ids is None else int(batch.input_ids[0, 0])
    if start == decoder_start:
        return batch
    rows = answered_rows(batch) or [Example("", (0,), 1)]
    # What fills a row up is masked or to the right of all answers: any id will do.
    laid_out = collate(rows, 0, decoder_start)
    return replace(laid_out, written=batch.written).to(batch.input_ids.device)


def batches_by_length(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Yield index lists of at most `batch_size`, rows of like length together, longest first."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def pad_token_id(tokenizer: Any) -> int:
    """Return the padding token, or the end-of-sequence token where there is none."""
    chosen = tokenizer.pad_token_id
    return int(tokenizer.eos_token_id if chosen is None else chosen)


def _adds_space(tokenizer: Any) -> bool:
    """Return whether a tokenizer puts a space before each text by itself, as Llama 2's does.

    A second one would be a token of its own between prompt and answer, which no text has.
    """
    return str(next(iter(tokenizer.tokenize("a")), "")).startswith("▁")


def _padded(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
    padded = torch.full((len(rows), max(map(len, rows))), filler, dtype=torch.long)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = torch.tensor(row, dtype=torch.long)
    return padded


def _join(row_id: str, prompt: list[int], answer: list[int], max_length: int) -> Example:
    if len(prompt) + len(answer) > max_length:
        budget = max(max_length // 2, max_length - len(answer))
        prompt = prompt[-budget:]
        answer = answer[: max_length - len(prompt)]
    return Example(row_id, (*prompt, *answer), len(prompt))
