"""Capturing teacher targets: the teacher is read once, shard by shard.

A shard is a function of its rows alone and lies beside the hash it had when it was whole. So a
capture killed in the middle goes on with the shards that are missing and ends with the same bytes;
the manifest is written last.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from kd_kedro.inference.generate import answer_states
from kd_kedro.losses.chunked_head import chunk_tokens
from kd_kedro.losses.mixture import mixture
from kd_kedro.models.causal_lm import check_length
from kd_kedro.models.encoding import Example, batches_by_length, collate, pad_token_id
from kd_kedro.models.modes import decoder_start, evaluating
from kd_kedro.models.precision import autocast
from kd_kedro.storage.atomic import one_at_a_time, writing
from kd_kedro.storage.fingerprints import file_fingerprint, settings_fingerprint
from kd_kedro.training.teacher.capture_config import UNREAD, CaptureConfig, serves
from kd_kedro.training.teacher.signals import log_probs_of, shared_logits
from kd_kedro.training.teacher.store import SCHEMA, Teachers

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def capture(
    teachers: Teachers,
    examples: Sequence[Example],
    belongs_to: Mapping[str, Any],
    store: Path,
    config: CaptureConfig,
) -> dict[str, Any]:
    """Read the teacher once over the answer tokens of all rows.

    Args:
        teachers: Each with its weight; their probabilities are averaged, before any temperature.
            The weights sum to one.
        examples: The rows as tokens, row ids unique.
        belongs_to: What `identity` says of the rows, the tokenizer and the teacher.
        store: Folder of all stores; this one lies in a folder of its own below it.
        config: What is kept of each distribution, and how; its precision is resolved.

    Returns:
        The manifest: plain JSON values, without any absolute path.

    Raises:
        ValueError: If the settings cannot be kept: k leaves no tail, or several teachers have no
            hidden states in common.
    """
    vocabulary = len(teachers[0][0].tokenizer)
    if config.source != "dense" and config.k >= vocabulary:
        raise ValueError(
            f"targets.k is {config.k} but the vocabulary has {vocabulary} tokens; "
            "use a smaller k or targets.source dense"
        )
    if config.hidden_states and len(teachers) > 1:
        raise ValueError(
            "targets.hidden_states: several teachers share no hidden states; capture them of one "
            "teacher"
        )
    width = teachers[0][0].model.get_output_embeddings().weight.shape[1]
    determines = {
        **belongs_to,
        **config.model_dump(mode="json", exclude={"capture", *UNREAD.get(config.source, ())}),
        "hidden_width": width if config.hidden_states else None,
        "vocabulary": vocabulary,
        "schema": SCHEMA,
    }
    fingerprint = settings_fingerprint(determines)
    folder = store / fingerprint
    check_length([teacher.model for teacher, _ in teachers], examples)
    with one_at_a_time(folder):
        shards = _capture_shards(teachers, examples, folder, config, vocabulary)
        manifest = {
            **determines,
            "fingerprint": fingerprint,
            "serves": sorted(serves(config.source)),
            "row_count": len(examples),
            "answer_tokens": sum(shard["answer_tokens"] for shard in shards),
            "bytes": sum(shard["bytes"] for shard in shards),
            "shards": shards,
        }
        _write(folder / "manifest.json", json.dumps(manifest, indent=2).encode())
    return manifest


def _capture_shards(
    teachers: Teachers,
    examples: Sequence[Example],
    folder: Path,
    config: CaptureConfig,
    vocabulary: int,
) -> list[dict[str, Any]]:
    # Rows of like length share a shard, so that its batches have little padding.
    ordered = sorted(examples, key=lambda example: (-len(example.input_ids), example.row_id))
    shards: list[dict[str, Any]] = []
    with tqdm(total=len(ordered), desc="teacher targets", unit="row", disable=None) as bar:
        for start in range(0, len(ordered), config.rows_per_shard):
            rows = ordered[start : start + config.rows_per_shard]
            path = folder / f"shard-{len(shards):05d}.safetensors"
            if not _is_whole(path):
                _write_shard(teachers, rows, path, config, vocabulary, bar)
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
    teachers: Teachers,
    rows: Sequence[Example],
    path: Path,
    config: CaptureConfig,
    vocabulary: int,
    bar: Any,
) -> None:
    from safetensors.torch import save

    # The draws of a shard depend on its rows alone, so that a resumed capture draws the same.
    generator = torch.Generator(teachers[0][0].model.device)
    names = json.dumps([row.row_id for row in rows])
    generator.manual_seed(int(settings_fingerprint([config.seed, names])[:8], 16))
    kept = _Kept(sum(row.answer_tokens for row in rows))
    for chosen in batches_by_length([len(row.input_ids) for row in rows], config.batch_size):
        batch = [rows[index] for index in chosen]
        _ask(teachers, batch, vocabulary, config, generator, kept)
        bar.update(len(chosen))
    tensors = {name: tensor.cpu() for name, tensor in kept.tensors.items()}
    sizes = torch.tensor([0, *(row.answer_tokens for row in rows)])
    tensors["offsets"] = sizes.cumsum(0)
    content = save(tensors, metadata={"row_ids": names})
    _write(path, content)
    _write(_hash_beside(path), hashlib.sha256(content).hexdigest().encode("ascii"))


def _ask(
    teachers: Teachers,
    rows: Sequence[Example],
    vocabulary: int,
    config: CaptureConfig,
    generator: torch.Generator,
    kept: "_Kept",
) -> None:
    """Add what is kept of a batch, a few answer tokens at a time.

    All logits of a batch at once would be most of the memory that a capture takes.
    """
    with ExitStack() as stack:
        for teacher, _ in teachers:
            stack.enter_context(evaluating(teacher.model))
        stack.enter_context(autocast(config.precision, teachers[0][0].model.device))
        states = []
        for teacher, _ in teachers:
            model = teacher.model
            batch = collate(rows, pad_token_id(teacher.tokenizer), decoder_start(model))
            states.append(answer_states(model, batch.to(model.device)))
        step = chunk_tokens(states[0], vocabulary)
        for start in range(0, max(1, len(states[0])), step):
            end = start + step
            log_probs = mixture(
                [
                    (log_probs_of(teacher.model, hidden[start:end], 1.0, vocabulary), share)
                    for (teacher, share), hidden in zip(teachers, states, strict=True)
                ]
            )
            part = _keep(log_probs, config, generator)
            if config.hidden_states:
                part["hidden"] = states[0][start:end].to(DTYPES[config.dtype])
            kept.add(part)


class _Kept:
    """What is kept of all tokens of a shard, in one piece from the start.

    Small pieces that stay would come to lie between the logits of one chunk and the next, and leave
    holes in the heap that no other logits fit into.
    """

    def __init__(self, tokens: int) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._tokens = tokens
        self._filled = 0

    def add(self, part: Mapping[str, torch.Tensor]) -> None:
        """Put the next tokens behind those before: batches follow the order of the rows."""
        start = self._filled
        for name, values in part.items():
            if name not in self.tensors:
                self.tensors[name] = values.new_empty((self._tokens, *values.shape[1:]))
            self._filled = start + len(values)
            self.tensors[name][start : self._filled] = values


def _keep(
    log_probs: torch.Tensor, config: CaptureConfig, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    dtype = DTYPES[config.dtype]
    narrow = torch.int16 if log_probs.shape[-1] <= 2**16 else torch.int32
    if config.source == "dense":
        return {"log_probs": log_probs.to(dtype)}
    if config.source == "sampled":
        return _sample(log_probs, config, generator, dtype, narrow)
    top, ids = log_probs.topk(config.k, -1)
    rest = log_probs.scatter(1, ids, float("-inf"))
    tails = [
        shared_logits(rest, rest.shape[-1], temperature).logsumexp(-1)
        for temperature in config.temperatures
    ]
    kept = {"log_probs": top.to(dtype), "ids": ids.to(narrow)}
    return {**kept, "tails": torch.stack(tails, -1).float()}


def _sample(
    log_probs: torch.Tensor,
    config: CaptureConfig,
    generator: torch.Generator,
    dtype: torch.dtype,
    narrow: torch.dtype,
) -> dict[str, torch.Tensor]:
    # Each line over the whole vocabulary counts: together they are a tenth of a teacher's pass.
    (temperature,) = config.temperatures
    if temperature != 1:
        log_probs = torch.log_softmax(log_probs / temperature, -1)
    top, ids = log_probs.topk(config.k, -1)
    chances = log_probs.exp()
    entropy = -(chances * log_probs).nansum(-1)  # 0 log 0 is 0
    tail = chances.scatter_(1, ids, 0.0).sum(-1, keepdim=True)
    chances[tail[:, 0] == 0] = 1.0  # where nothing is left any draw will do: it counts nothing
    drawn = torch.multinomial(chances, config.num_samples, replacement=True, generator=generator)
    return {
        "log_probs": top.to(dtype),
        "ids": ids.to(narrow),
        "drawn": drawn.to(narrow),
        "tails": tail.log().float(),
        "entropy": entropy.float(),
    }


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
        with writing(path):
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
