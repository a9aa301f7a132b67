"""Hashes of what determines a result: weights, tokenizer, rows, settings."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DIGITS = 16


def weights_fingerprint(model: Any) -> str:
    """Return the hash of every weight's name, dtype, shape and bytes."""
    import torch  # here, because the catalog's datasets import this module

    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        tensor = weight.detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:DIGITS]


def config_fingerprint(model: Any) -> str:
    """Return the hash of what a model's configuration says of its arithmetic."""
    config = model.config.to_dict()
    of_the_file = {"architectures", "dtype", "torch_dtype", "transformers_version"}
    kept = {key: str(config[key]) for key in config if key[0] != "_" and key not in of_the_file}
    return settings_fingerprint(kept)


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """Return the hash of all that a fast tokenizer does to a text, special tokens included.

    Truncation and padding are left out: transformers sets them anew with every call.
    """
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content.update(truncation=None, padding=None)
    return settings_fingerprint(
        {"tokenizer": content, "eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}
    )


def rows_fingerprint(rows: Iterable[tuple[str, str, str]]) -> str:
    """Return the hash of (row_id, question, answer) triples, whatever their order."""
    return settings_fingerprint(sorted(rows))


def settings_fingerprint(settings: Mapping[str, Any] | list[Any]) -> str:
    """Return the hash of plain JSON values."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def file_fingerprint(path: Path) -> str:
    """Return the full SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_by_hash(names: Iterable[str], count: int | None) -> list[int]:
    """Return the places of at most `count` names, a choice that follows neither order nor a seed.

    Args:
        names: Names of rows.
        count: How many; None for all.

    Returns:
        Places in the order of the names' SHA-256.
    """
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    return sorted(range(len(hashes)), key=hashes.__getitem__)[:count]
