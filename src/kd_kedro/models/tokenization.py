"""A tokenizer trained on the rows themselves, or one that already exists."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kd_kedro.models.prompt_format import PromptFormat, give_format
from kd_kedro.storage.atomic import first_line

END = "<|endoftext|>"
PAD = "<|pad|>"


def train_byte_bpe(texts: Iterable[str], vocabulary: int, min_frequency: int = 2) -> Any:
    """Train a byte-level BPE tokenizer in which every digit is a token of its own.

    Single digits let a small model carry place value over to numbers it never saw. All 256 bytes
    are in the vocabulary, so any text comes back from decoding as it went in.

    Args:
        texts: Training text; held-out text must not be in it.
        vocabulary: Most tokens; fewer come out of little text.
        min_frequency: Occurrences from which on a pair is merged.

    Returns:
        A `PreTrainedTokenizerFast` with an end-of-sequence and a padding token.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=min_frequency,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
    )


def refuse_gguf(name: str, key: str) -> None:
    """Refuse a GGUF file where a folder belongs, before the hub is asked for one of that name.

    Raises:
        OSError: It is one; the message says how to convert it.
    """
    if Path(name).suffix == ".gguf":
        raise OSError(
            f"{key}: '{name}' is a GGUF file: convert it (python tools/convert_gguf.py FILE "
            "FOLDER) and name FOLDER"
        )


def load_pretrained_tokenizer(name: str, key: str, how: PromptFormat | None = None) -> Any:
    """Load a tokenizer by hub name or from a local folder.

    Args:
        name: Hub name, or a folder with a tokenizer.json.
        key: The parameter that named it, for the messages.
        how: The format that it is to ask in; None to leave it as it is.

    Raises:
        OSError: If it cannot be had; the message names it.
        ValueError: If it has no end-of-sequence token, or cannot ask in the format.
    """
    from transformers import AutoTokenizer

    refuse_gguf(name, key)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False, use_fast=True)
    except (OSError, ValueError) as error:
        raise OSError(
            f"{key}: no tokenizer could be loaded from '{name}' ({first_line(error)}); "
            "give a hub name that this machine can reach or a folder with a tokenizer.json"
        ) from error
    if tokenizer.eos_token_id is None and tokenizer.sep_token_id is not None:
        tokenizer.eos_token = tokenizer.sep_token  # an encoder's texts end so
    if tokenizer.eos_token_id is None:
        raise ValueError(
            f"{key}: '{name}' has no end-of-sequence token; "
            "set eos_token in its tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer if how is None else give_format(tokenizer, how, key)
