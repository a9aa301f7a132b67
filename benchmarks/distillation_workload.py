"""What the distillation benchmark trains: sizes of models, rows as examples, FLOPs.

All sides get the same examples, tokenised once, and models of the same weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.models.encoding import Example, encode
from kd_kedro.models.tokenization import END, PAD

VOCABULARY = 50_257  # GPT-2's
ANSWER_SHARE = 0.66
SEED = 0


@dataclass(frozen=True)
class Shape:
    """A GPT-2 without dropout: blocks, width of the hidden states, attention heads."""

    layers: int
    width: int
    heads: int


@dataclass(frozen=True)
class Size:
    """One setting of the benchmark.

    Attributes:
        teacher: Its shape.
        student: Its shape.
        vocabulary: Tokens of both.
        batch_size: Rows of a batch.
        length: Tokens of a row where all are equally long.
        equal_batches: How many batches of those an epoch has.
        natural_rows: Rows of an epoch that are as long as they are.
        max_length: Where those are cut.
    """

    teacher: Shape
    student: Shape
    vocabulary: int = VOCABULARY
    batch_size: int = 8
    length: int = 128
    equal_batches: int = 2
    natural_rows: int = 48
    max_length: int = 256


SIZES = {
    "tiny": Size(Shape(2, 64, 2), Shape(1, 32, 2), 2_000, batch_size=4, length=32, natural_rows=16),
    "cpu": Size(Shape(24, 1024, 16), Shape(4, 512, 8)),
    # GPT-2 Large and DistilGPT-2.
    "full": Size(
        Shape(36, 1280, 20),
        Shape(6, 768, 12),
        batch_size=32,
        length=512,
        equal_batches=4,
        natural_rows=256,
        max_length=512,
    ),
}


def train_tokenizer(rows: pd.DataFrame, vocabulary: int) -> Any:
    """Return a byte-level BPE of these rows that has exactly `vocabulary` tokens.

    A small sheet does not give GPT-2's number of merges: tokens that no text becomes fill it up,
    since what a vocabulary costs is its size.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator([*rows["question"], *rows["answer"]], trainer)
    import json

    written = json.loads(trained.to_str())
    ids = written["model"]["vocab"]
    for number in range(len(ids), vocabulary):
        ids[f"<unused {number}>"] = number
    whole = Tokenizer.from_str(json.dumps(written))
    whole.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=whole, eos_token=END, pad_token=PAD)


def equal_examples(rows: pd.DataFrame, tokenizer: Any, size: Size) -> list[Example]:
    """Return examples of one length, two thirds answer, cut from the rows' text in its order."""
    answer = round(ANSWER_SHARE * size.length)
    prompt = size.length - answer
    wanted = size.equal_batches * size.batch_size
    questions = _stream(tokenizer, [f"Question: {text}\n" for text in rows["question"]])
    answers = _stream(tokenizer, [f" {text}" for text in rows["answer"]])
    if len(questions) < wanted * prompt or len(answers) < wanted * answer:
        raise ValueError(
            f"the sheet has too little text for {wanted} rows of {size.length} tokens: give "
            "--data a longer one"
        )
    return [
        Example(
            f"equal-{row}",
            (
                *questions[row * prompt : (row + 1) * prompt],
                *answers[row * answer : (row + 1) * answer],
            ),
            prompt,
        )
        for row in range(wanted)
    ]


def natural_examples(rows: pd.DataFrame, tokenizer: Any, size: Size) -> list[Example]:
    """Return rows of the whole sheet, drawn without looking, as long as they are."""
    if len(rows) < size.natural_rows:
        raise ValueError(
            f"the sheet has {len(rows)} rows and {size.natural_rows} are needed: give --data a "
            "longer one"
        )
    drawn = np.random.default_rng(SEED).choice(len(rows), size.natural_rows, replace=False)
    chosen = rows.iloc[drawn]
    return encode(
        tokenizer,
        chosen["row_id"].tolist(),
        chosen["question"].tolist(),
        chosen["answer"].tolist(),
        size.max_length,
    )


def new_gpt2(shape: Shape, size: Size, seed: int) -> Any:
    """Return a GPT-2 with random weights, the same for the same seed."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=size.vocabulary,
        n_positions=max(size.length, size.max_length),
        n_embd=shape.width,
        n_layer=shape.layers,
        n_head=shape.heads,
        activation_function="gelu_pytorch_tanh",  # GPT-2's own function, in one kernel
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=False,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=1,
    )
    torch.manual_seed(seed)
    return GPT2LMHeadModel(config)


def forward_flops(shape: Shape, vocabulary: int, examples: Sequence[Example], all_: bool) -> float:
    """Return the least products of a forward pass over examples, in FLOPs, without padding.

    Two for each weight and token, the causal half of the attention's own products, and the head
    over all tokens or over those that predict an answer only.
    """
    tokens = sum(len(row.input_ids) for row in examples)
    projected = tokens if all_ else sum(row.answer_tokens for row in examples)
    pairs = sum(len(row.input_ids) ** 2 / 2 for row in examples)
    blocks = shape.layers * (24 * shape.width**2 * tokens + 4 * shape.width * pairs)
    return blocks + 2 * shape.width * vocabulary * projected


def _stream(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    ids = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)
    return [token for row in ids["input_ids"] for token in row]
