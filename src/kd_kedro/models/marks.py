"""What a tokenizer puts around every text by itself, and the tokens of a text without it."""

from collections.abc import Sequence
from typing import Any


def marks(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ids that a tokenizer puts by itself before a text, and those after it.

    Raises:
        ValueError: It does not only put marks around a text.
    """
    text = ["Question: a\nAnswer:"]
    (bare,), (whole,) = (literal_ids(tokenizer, text, marked=marked) for marked in (False, True))
    for at in range(len(whole) - len(bare) + 1):
        if whole[at : at + len(bare)] == bare:
            return tuple(whole[:at]), tuple(whole[at + len(bare) :])
    raise ValueError(
        f"tokenizer {tokenizer.name_or_path or type(tokenizer).__name__} gives a text other tokens "
        f"({whole}) with its marks than without ({bare}), so that they cannot be told from the "
        "text: it must put them around a text and leave the text's own tokens alone"
    )


def literal_ids(tokenizer: Any, texts: Sequence[str], *, marked: bool = False) -> list[list[int]]:
    """Return the ids of texts, kept literal, with or without the tokenizer's marks."""
    if not texts:
        return []
    # split_special_tokens: a text that quotes the end-of-sequence token does not end there.
    ids = tokenizer(
        list(texts),
        split_special_tokens=True,
        add_special_tokens=marked,
        return_attention_mask=False,
    )["input_ids"]
    return [list(row) for row in ids]
