"""Capturing teacher targets: the teacher is read once, shard by shard.

A shard is a function of its rows alone and lies beside the hash it had when it was whole. So a
capture killed in the middle goes on with the shards that are missing and ends with the same bytes;
the manifest is written last.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from kd_kedro.training.disk import writing
from kd_kedro.training.examples import Example, batches_by_length, collate, pad_token_id
from kd_kedro.training.fingerprints import file_fingerprint, settings_fingerprint
from kd_kedro.training.language_model import LanguageModel
from kd_kedro.training.precision import autocast
from kd_kedro.training.target_store import serves
from kd_kedro.training.targets import teacher_log_probs

SCHEMA = 1
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(frozen=True)
class CaptureSettings:
    """How targets are captured.

    Attributes:
        source: `dense`, every shared token; or `top_k`, the k likeliest and the rest as one bucket.
        k: How many tokens are kept by `top_k`.
        temperature: What the logits are divided by, on both sides.
        dtype: A name of `DTYPES`, of the stored log probabilities.
        precision: `fp32` or `bf16`, of the teacher's forward pass.
        batch_size: Rows in one forward pass.
        rows_per_shard: Rows in one file, the unit of resumption.
    """

    source: str
    k: int
    temperature: float
    dtype: str
    precision: str
    batch_size: int
    rows_per_shard: int


def capture(
    teacher: LanguageModel,
    examples: Sequence[Example],
    belongs_to: Mapping[str, Any],
    store: Path,
    settings: CaptureSettings,
) -> dict[str, Any]:
    """Read the teacher once over the answer tokens of all rows.

    Args:
        teacher: Model and tokenizer.
        examples: The rows as tokens, row ids unique.
        belongs_to: What `identity` says of the rows, the tokenizer and the teacher.
        store: Folder of all stores; this one lies in a folder of its own below it.
        settings: What is kept of each distribution, and how.

    Returns:
        The manifest: plain JSON values, without any absolute path.

    Raises:
        ValueError: If k leaves no tail.
    """
    vocabulary = len(teacher.tokenizer)
    if settings.source == "top_k" and settings.k >= vocabulary:
        raise ValueError(
            f"targets.k is {settings.k} but the vocabulary has {vocabulary} tokens; "
            "use a smaller k or targets.source dense"
        )
    determines = {**belongs_to, **asdict(settings), "vocabulary": vocabulary, "schema": SCHEMA}
    fingerprint = settings_fingerprint(determines)
    folder = store / fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    shards = _capture_shards(teacher, examples, folder, settings, vocabulary)
    manifest = {
        **determines,
        "fingerprint": fingerprint,
        "serves": sorted(serves(settings.source)),
        "row_count": len(examples),
        "answer_tokens": sum(shard["answer_tokens"] for shard in shards),
        "bytes": sum(shard["bytes"] for shard in shards),
        "shards": shards,
    }
    _write(folder / "manifest.json", json.dumps(manifest, indent=2).encode())
    return manifest


def _capture_shards(
    teacher: LanguageModel,
    examples: Sequence[Example],
    folder: Path,
    settings: CaptureSettings,
    vocabulary: int,
) -> list[dict[str, Any]]:
    # Rows of like length share a shard, so that its batches have little padding.
    ordered = sorted(examples, key=lambda example: (-len(example.input_ids), example.row_id))
    shards: list[dict[str, Any]] = []
    with tqdm(total=len(ordered), desc="teacher targets", unit="row") as bar:
        for start in range(0, len(ordered), settings.rows_per_shard):
            rows = ordered[start : start + settings.rows_per_shard]
            path = folder / f"shard-{len(shards):05d}.safetensors"
            if not _is_whole(path):
                _write_shard(teacher, rows, path, settings, vocabulary, bar)
            else:
                bar.update(len(rows))
            shards.append(
                {
                    "file": path.name,
                    "sha256": _hash_beside(path).read_text(encoding="ascii"),
                    "rows": len(rows),
                    "answer_tokens": sum(example.answer_tokens for example in rows),
                    "bytes": path.stat().st_size,
                }
            )
    return shards


def _write_shard(
    teacher: LanguageModel,
    rows: Sequence[Example],
    path: Path,
    settings: CaptureSettings,
    vocabulary: int,
    bar: Any,
) -> None:
    from safetensors.torch import save

    model, padding = teacher.model.eval(), pad_token_id(teacher.tokenizer)
    kept: list[dict[str, torch.Tensor]] = []
    for chosen in batches_by_length([len(row.input_ids) for row in rows], settings.batch_size):
        batch = collate([rows[index] for index in chosen], padding)
        with autocast(settings.precision, model.device):
            log_probs = teacher_log_probs(model, batch, settings.temperature, vocabulary)
        kept.append(_keep(log_probs, settings))
        bar.update(len(chosen))
    # batches_by_length is stable and the rows are sorted, so batches follow the rows' order.
    tensors = {name: torch.cat([part[name] for part in kept]).cpu() for name in kept[0]}
    sizes = torch.tensor([0, *(row.answer_tokens for row in rows)])
    tensors["offsets"] = sizes.cumsum(0)
    content = save(tensors, metadata={"row_ids": json.dumps([row.row_id for row in rows])})
    _write(path, content)
    _write(_hash_beside(path), file_fingerprint(path).encode("ascii"))


def _keep(log_probs: torch.Tensor, settings: CaptureSettings) -> dict[str, torch.Tensor]:
    dtype = DTYPES[settings.dtype]
    if settings.source == "dense":
        return {"log_probs": log_probs.to(dtype)}
    top, ids = log_probs.topk(settings.k, -1)
    tail = log_probs.scatter(1, ids, float("-inf")).logsumexp(-1)
    return {"log_probs": top.to(dtype), "ids": ids.to(torch.int32), "tail": tail}


def _is_whole(path: Path) -> bool:
    beside = _hash_beside(path)
    if not (path.is_file() and beside.is_file()):
        return False
    return beside.read_text(encoding="ascii") == file_fingerprint(path)


def _hash_beside(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        with writing(path), unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
