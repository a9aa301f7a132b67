"""Question-answer rows as token sequences, and sequences as right-padded batches.

Prompt and answer are tokenised apart and joined, so that the prompt of training is, token for
token, the prompt of generation, and the first answer token is known without guessing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch

from kd_kedro.models.literal_chat import (
    chat_texts,
    ends_special,
    literal,
    messages_of,
    plain_text,
    question_ids,
    special_ids,
)
from kd_kedro.models.marks import literal_ids, marks
from kd_kedro.models.prompt_format import (
    CHAT,
    Asked,
    fields_of,
    format_of,
    prompt_text,
    turn_of,
)

IGNORED = -100  # the label of a position that is no answer, as everywhere in transformers
Prompts = Mapping[str, Sequence[int]]  # token ids by the id of a row
NO_PROMPTS: Prompts = MappingProxyType({})


@dataclass(frozen=True)
class Example:
    """One row as tokens.

    Attributes:
        row_id: The identity that teacher targets are joined by.
        input_ids: Prompt, answer and, unless the answer was cut, the end-of-sequence token.
        answer_start: Where in `input_ids` the answer begins; at least 1.
        begin: Number of marks that the tokenizer puts before a text, the first ids of the prompt.
        end: Ids of the marks that it puts after a text. An encoder reads them after the prompt; a
            model that goes on with the answer must not, and an answer ends with the
            end-of-sequence token.
    """

    row_id: str
    input_ids: tuple[int, ...]
    answer_start: int
    begin: int = 0
    end: tuple[int, ...] = ()

    @property
    def answer_tokens(self) -> int:
        """How many tokens the loss is taken over, the end-of-sequence token included."""
        return len(self.input_ids) - self.answer_start

    @property
    def encoder_ids(self) -> tuple[int, ...]:
        """What an encoder reads: the prompt between the tokenizer's marks."""
        return (*self.input_ids[: self.answer_start], *self.end)

    def decoder_prefix(self, start: int) -> tuple[int, ...]:
        """Return what a decoder reads before the answer: its first token, then the begin marks.

        BART learned its texts as `</s> <s> text </s>`; where the decoder starts with the begin
        mark itself, as that of an encoder made into both halves, it stands there once.
        """
        begin = self.input_ids[: self.begin]
        return begin if begin[:1] == (start,) else (start, *begin)


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
        begin: As in `Example`.
        end: As in `Example`.
    """

    row_ids: tuple[str, ...]
    input_ids: torch.Tensor
    labels: torch.Tensor
    encoder_ids: torch.Tensor | None = None
    encoder_mask: torch.Tensor | None = None
    written: bool = True
    begin: int = 0
    end: tuple[int, ...] = ()

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


def prompt_texts(tokenizer: Any, asked: Sequence[Asked]) -> list[str]:
    """Return what a model is given to read, before it is cut into tokens."""
    template = format_of(tokenizer).template
    if template != CHAT:
        return [prompt_text(each, template) for each in asked]
    texts = chat_texts(tokenizer, [messages_of(fields_of(each)) for each in asked])
    return [plain_text(tokenizer, text) for text in texts]


def encode_prompts(tokenizer: Any, asked: Sequence[Asked]) -> list[list[int]]:
    """Return each prompt as token ids, the text of whoever asks kept literal.

    The tokenizer's begin marks stand before a prompt, but for one that has its own: a chat, or a
    template that begins with them. Its end marks do not stand after it: the answer comes there, or
    an encoder's own end (`marks`).

    Args:
        tokenizer: Its format says how is asked (`prompt_format`).
        asked: Questions, or the fields of prompts.

    Raises:
        PromptRefusedError: A chat template does not take a conversation.
    """
    template = format_of(tokenizer).template
    chat = template == CHAT
    prompts = question_ids(tokenizer, None if chat else template, [*map(fields_of, asked)])
    begin = () if chat else marks(tokenizer)[0]
    return [ids if _begins(ids, begin) else [*begin, *ids] for ids in prompts]


def encode(
    tokenizer: Any,
    row_ids: Sequence[str],
    asked: Sequence[Asked],
    answers: Sequence[str],
    max_length: int,
) -> list[Example]:
    """Tokenise rows for training or scoring.

    Args:
        tokenizer: A fast tokenizer with an end-of-sequence token.
        row_ids: Identities of the rows.
        asked: Their questions, or the fields of their prompts.
        answers: Their answers.
        max_length: Most tokens of an example. A longer prompt loses its beginning (at most half
            of the length is given to the prompt then), a longer answer its end; a cut answer has no
            end-of-sequence token, since it does not end there.

    Returns:
        One example for each row, in order.
    """
    begin, end = marks(tokenizer) if asked else ((), ())
    return [
        _join(
            Example(row_id, (*prompt, *answer), len(prompt), begun(prompt, begin), end), max_length
        )
        for row_id, (prompt, answer) in zip(row_ids, _pairs(tokenizer, asked, answers), strict=True)
    ]


def begun(prompt: Sequence[int], begin: Sequence[int]) -> int:
    """Return how many begin marks a prompt has: all that its tokenizer puts before a text, or 0."""
    return len(begin) if _begins(prompt, begin) else 0


def whole_lengths(tokenizer: Any, asked: Sequence[Asked], answers: Sequence[str]) -> list[int]:
    """Return the tokens of each example before `encode` cuts it, the end token included."""
    return [len(prompt) + len(answer) for prompt, answer in _pairs(tokenizer, asked, answers)]


def answer_lengths(tokenizer: Any, answers: Sequence[str]) -> list[int]:
    """Return the tokens of each answer before `encode` cuts it, the end token included."""
    return [len(answer) for answer in _answers(tokenizer, answers)]


def cut_prompt(prompt: Sequence[int], size: int, begin: int) -> list[int]:
    """Return a prompt of at most `size` tokens: it loses its beginning, but for the begin marks."""
    if len(prompt) <= size:
        return list(prompt)
    return [*prompt[:begin], *prompt[len(prompt) - max(0, size - begin) :]]


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
    answers = [example.input_ids[example.answer_start :] for example in examples]
    if decoder_start is None:
        read = [example.input_ids for example in examples]
        unlabelled = [example.answer_start - 1 for example in examples]
    else:
        before = [example.decoder_prefix(decoder_start) for example in examples]
        read = [(*first, *answer[:-1]) for first, answer in zip(before, answers, strict=True)]
        unlabelled = [len(first) - 1 for first in before]
    input_ids = _padded(read, pad_token_id)
    labels = torch.full_like(input_ids, IGNORED)
    for row, (answer, start) in enumerate(zip(answers, unlabelled, strict=True)):
        labels[row, start : start + len(answer)] = torch.tensor(answer, dtype=torch.long)
    begin, end = examples[0].begin, examples[0].end  # one tokenizer's
    if decoder_start is None:
        return Batch(row_ids, input_ids, labels, begin=begin, end=end)
    prompts = [example.encoder_ids for example in examples]
    mask = _padded([(1,) * len(prompt) for prompt in prompts], 0)
    encoder_ids = _padded(prompts, pad_token_id)
    return Batch(row_ids, input_ids, labels, encoder_ids, mask, begin=begin, end=end)


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
            size = int(batch.encoder_mask[place].sum()) - len(batch.end)
            prompt = batch.encoder_ids[place, :size].tolist()
        ids = (*prompt, *answer)
        rows.append(Example(batch.row_ids[place], ids, len(prompt), batch.begin, batch.end))
    return rows


def with_prompts(rows: Sequence[Example], prompts: Prompts) -> list[Example]:
    """Return rows with another prompt where there is one for their id; their answers stay."""
    return [
        replace(
            row,
            input_ids=(*prompts[row.row_id], *row.input_ids[row.answer_start :]),
            answer_start=len(prompts[row.row_id]),
        )
        if row.row_id in prompts
        else row
        for row in rows
    ]


def read_by(batch: Batch, decoder_start: int | None, prompts: Prompts = NO_PROMPTS) -> Batch:
    """Return a batch laid out for a model with another decoder start, or for one without any.

    Teacher and student may be of different kinds, and a teacher may have prompts of its own; their
    answer positions come in the same order.
    """
    start = None if batch.encoder_ids is None else int(batch.input_ids[0, 0])
    if start == decoder_start and prompts.keys().isdisjoint(batch.row_ids):
        return batch
    rows = answered_rows(batch) or [Example("", (0,), 1)]
    # What fills a row up is masked or to the right of all answers: any id will do.
    laid_out = collate(with_prompts(rows, prompts), 0, decoder_start)
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


def _pairs(
    tokenizer: Any, asked: Sequence[Asked], answers: Sequence[str]
) -> list[tuple[list[int], list[int]]]:
    """Return the ids of each prompt and of its answer with the end token, nothing cut."""
    prompts = encode_prompts(tokenizer, asked) if asked else []
    return list(zip(prompts, _answers(tokenizer, answers), strict=True))


def _answers(tokenizer: Any, answers: Sequence[str]) -> list[list[int]]:
    template = format_of(tokenizer).template
    if template == CHAT:
        return _turns(tokenizer, answers)
    lead = _lead(tokenizer, template)
    texts = [f"{lead}{answer}" if answer else "" for answer in answers]
    return [[*ids, tokenizer.eos_token_id] for ids in literal_ids(tokenizer, texts)]


def _turns(tokenizer: Any, answers: Sequence[str]) -> list[list[int]]:
    """Return the ids of what an assistant says to a prompt and of what ends its turn.

    They are those that the text has behind a prompt; behind a special token alone where text and
    prompt would share a token, which no prompt of generation ends with.
    """
    turn = turn_of(tokenizer)
    said = [
        f"{turn.before}{literal(tokenizer, answer)}{turn.after}{turn.end}" for answer in answers
    ]
    (prompt,) = special_ids(tokenizer, [turn.prompt])
    behind = special_ids(tokenizer, [f"{turn.prompt}{text}" for text in said])
    alone = special_ids(tokenizer, [f"{turn.end}{text}" for text in said])
    return [
        whole[len(prompt) :] if _begins(whole, prompt) else apart[1:]
        for whole, apart in zip(behind, alone, strict=True)
    ]


def _lead(tokenizer: Any, template: str) -> str:
    """Return what to put before an answer, so that its tokens are those it has in a whole text.

    A space; nothing where the template ends with a blank or a special token, or where the
    tokenizer puts a space before each text by itself, as Llama 2's: a second one would be a token
    of its own between prompt and answer, which no text has.
    """
    if template != template.rstrip() or ends_special(tokenizer, template):
        return ""
    first, whole = literal_ids(tokenizer, ["a", "a a"])
    leads = (" ", "")
    fits = (lead for lead in leads if [*first, *literal_ids(tokenizer, [f"{lead}a"])[0]] == whole)
    return next(fits, " ")


def _begins(ids: Sequence[int], begin: Sequence[int]) -> bool:
    return tuple(ids[: len(begin)]) == tuple(begin)


def _padded(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
    padded = torch.full((len(rows), max(map(len, rows))), filler, dtype=torch.long)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = torch.tensor(row, dtype=torch.long)
    return padded


def _join(whole: Example, max_length: int) -> Example:
    if len(whole.input_ids) <= max_length:
        return whole
    prompt, answer = (
        whole.input_ids[: whole.answer_start],
        whole.input_ids[whole.answer_start :],
    )
    budget = max(max_length // 2, max_length - len(answer))
    prompt = tuple(cut_prompt(prompt, budget, whole.begin))
    ids = (*prompt, *answer[: max_length - len(prompt)])
    return replace(whole, input_ids=ids, answer_start=len(prompt))
