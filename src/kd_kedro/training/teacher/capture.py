"""Capturing teacher targets: the teacher is read once, shard by shard, or asked behind a server.

A shard is a function of its rows alone and lies beside the hash it had when it was whole. So a
capture killed in the middle goes on with the shards that are missing and ends with the same bytes;
the manifest is written last.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from tqdm import tqdm

from kd_kedro.inference.generate import answer_states
from kd_kedro.losses.chunked_head import chunk_tokens
from kd_kedro.losses.mixture import mixture
from kd_kedro.models.causal_lm import LanguageModel, check_length
from kd_kedro.models.encoding import Example, batches_by_length, collate, pad_token_id
from kd_kedro.models.modes import decoder_start, evaluating
from kd_kedro.models.precision import autocast
from kd_kedro.storage.atomic import one_at_a_time, writing
from kd_kedro.storage.fingerprints import file_fingerprint, settings_fingerprint
from kd_kedro.training.teacher.capture_config import UNREAD, CaptureConfig, serves
from kd_kedro.training.teacher.hidden_states import to_8_bits
from kd_kedro.training.teacher.log_prob_protocol import RowLogProbs
from kd_kedro.training.teacher.packed_bits import id_bits, pack
from kd_kedro.training.teacher.signals import log_probs_of, shared_logits
from kd_kedro.training.teacher.store import SCHEMA, Teachers
from kd_kedro.training.teacher.token_sample import IdCode, TokenSample

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
Named = Mapping[str, tuple[str, Teachers]]
# Adds what teachers say of rows, and tells after how many.
_Ask = Callable[[Sequence[Example], "_Kept", Callable[[int], Any]], None]
HEADER = 600  # bytes that a shard of sampled targets spends on the names of its tensors


def capture(
    teachers: Teachers,
    examples: Sequence[Example],
    belongs_to: Mapping[str, Any],
    store: Path,
    config: CaptureConfig,
    named: Named = MappingProxyType({}),
) -> dict[str, Any]:
    """Read the teacher once over the answer tokens of all rows.

    Args:
        teachers: Each with its weight; their probabilities are averaged, before any temperature.
            The weights sum to one. One behind a server is alone.
        examples: The rows as tokens, row ids unique.
        belongs_to: What `identity` says of the rows, the tokenizer and the teacher.
        store: Folder of all stores; this one lies in a folder of its own below it.
        config: What is kept of each distribution, and how; its precision is resolved.
        named: Of rows that name their teacher, by row id, the name and who is asked.

    Returns:
        The manifest: plain JSON values, without any absolute path.

    Raises:
        ValueError: If the settings cannot be kept: k leaves no tail, or several teachers have no
            hidden states in common; or a server gives no such targets.
    """
    vocabulary = len(teachers[0][0].tokenizer)
    if config.source == "top_k" and config.k >= vocabulary:
        raise ValueError(
            f"targets.k is {config.k} but the vocabulary has {vocabulary} tokens; "
            "use a smaller k or targets.source dense"
        )
    if config.hidden_states and len(teachers) > 1:
        raise ValueError(
            "targets.hidden_states: several teachers share no hidden states; capture them of one "
            "teacher"
        )
    first = teachers[0][0]
    if first.server is None:
        width = _hidden_width(teachers, config)
        check_length([teacher.model for teacher, _ in teachers], examples)
        ask: _Ask = partial(_ask_models, teachers, named, vocabulary, config)
        device = first.model.device
    else:
        width, device = None, "cpu"
        ask = partial(_ask_server, first, vocabulary, config)
    determines = {
        **belongs_to,
        **config.model_dump(mode="json", exclude={"capture", *UNREAD.get(config.source, ())}),
        "hidden_width": width,
        "vocabulary": vocabulary,
        "schema": SCHEMA,
    }
    fingerprint = settings_fingerprint(determines)
    folder = store / fingerprint
    # Rows of like length share a shard, so that its batches have little padding.
    ordered = sorted(examples, key=lambda row: (_name(row, named), -len(row.input_ids), row.row_id))
    with one_at_a_time(folder):
        shards = _capture_shards(ask, device, ordered, folder, config, vocabulary)
        manifest = {
            **determines,
            **({"server": first.server.identity()} if first.server else {}),
            "fingerprint": fingerprint,
            "serves": sorted(serves(config.source)),
            "row_count": len(examples),
            "answer_tokens": sum(shard["answer_tokens"] for shard in shards),
            "bytes": sum(shard["bytes"] for shard in shards),
            "shards": shards,
        }
        _write(folder / "manifest.json", json.dumps(manifest, indent=2).encode())
    return manifest


def _hidden_width(teachers: Teachers, config: CaptureConfig) -> int | None:
    if not config.hidden_states:
        return None
    return int(teachers[0][0].model.get_output_embeddings().weight.shape[1])


def _capture_shards(
    ask: _Ask,
    device: Any,
    ordered: Sequence[Example],
    folder: Path,
    config: CaptureConfig,
    vocabulary: int,
) -> list[dict[str, Any]]:
    shards: list[dict[str, Any]] = []
    with tqdm(total=len(ordered), desc="teacher targets", unit="row", disable=None) as bar:
        for start in range(0, len(ordered), config.rows_per_shard):
            rows = ordered[start : start + config.rows_per_shard]
            path = folder / f"shard-{len(shards):05d}.safetensors"
            if not _is_whole(path):
                _write_shard(ask, device, rows, path, config, vocabulary, bar)
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
    ask: _Ask,
    device: Any,
    rows: Sequence[Example],
    path: Path,
    config: CaptureConfig,
    vocabulary: int,
    bar: Any,
) -> None:
    from safetensors.torch import save

    # The draws of a shard depend on its rows alone, so that a resumed capture draws the same.
    generator = torch.Generator(device)
    names = json.dumps([row.row_id for row in rows], separators=(",", ":"))
    generator.manual_seed(int(settings_fingerprint([config.seed, names])[:8], 16))
    offsets = torch.tensor([0, *(row.answer_tokens for row in rows)]).cumsum(0)
    kept = _Kept(int(offsets[-1]), config, generator)
    ask(rows, kept, bar.update)
    tensors = {**kept.tensors, "offsets": offsets.to(torch.int32)}
    if kept.sample:
        budget = config.bytes_per_token * int(offsets[-1]) - len(names) - 4 * len(offsets) - HEADER
        code = IdCode.best(vocabulary, config.bytes_per_token)
        tensors |= kept.sample.encode(offsets, code, budget, generator)
    content = save(
        {name: tensor.cpu() for name, tensor in tensors.items()}, metadata={"row_ids": names}
    )
    _write(path, content)
    _write(_hash_beside(path), hashlib.sha256(content).hexdigest().encode("ascii"))


def _ask_server(
    teacher: LanguageModel,
    vocabulary: int,
    config: CaptureConfig,
    rows: Sequence[Example],
    kept: "_Kept",
    done: Callable[[int], Any],
) -> None:
    """Add what a teacher behind a server says of rows."""
    said = teacher.server.log_probs(rows, teacher.tokenizer, config.k, partial(done, 1))
    for each in said:
        kept.put(_told(each, vocabulary, config), len(each.ids))


def _name(row: Example, named: Named) -> str:
    return named[row.row_id][0] if row.row_id in named else ""


def _ask_models(
    teachers: Teachers,
    named: Named,
    vocabulary: int,
    config: CaptureConfig,
    rows: Sequence[Example],
    kept: "_Kept",
    done: Callable[[int], Any],
) -> None:
    """Add what teachers in this process say of rows: all of them, or the one that a row names."""
    for name, group in groupby(rows, lambda row: _name(row, named)):
        part = list(group)
        asked = named[part[0].row_id][1] if name else teachers
        for chosen in batches_by_length([len(row.input_ids) for row in part], config.batch_size):
            batch = [part[index] for index in chosen]
            _ask_batch(asked, batch, vocabulary, config.precision, kept)
            done(len(chosen))


def _ask_batch(
    teachers: Teachers, rows: Sequence[Example], vocabulary: int, precision: str, kept: "_Kept"
) -> None:
    """Add what is kept of a batch, a few answer tokens at a time.

    All logits of a batch at once would be most of the memory that a capture takes.
    """
    device = teachers[0][0].model.device
    with ExitStack() as stack:
        for teacher, _ in teachers:
            stack.enter_context(evaluating(teacher.model))
        states = []
        for teacher, _ in teachers:
            model = teacher.model
            batch = collate(rows, pad_token_id(teacher.tokenizer), decoder_start(model))
            with autocast(precision, device):
                states.append(answer_states(model, batch.to(model.device)))
        step = chunk_tokens(states[0], vocabulary)
        for start in range(0, max(1, len(states[0])), step):
            end = start + step
            with autocast(precision, device):
                log_probs = mixture(
                    [
                        (log_probs_of(teacher.model, hidden[start:end], 1.0, vocabulary), share)
                        for (teacher, share), hidden in zip(teachers, states, strict=True)
                    ]
                )
            kept.add(log_probs, states[0][start:end])


class _Kept:
    """What is kept of all tokens of a shard, in one piece from the start.

    Small pieces that stay would come to lie between the logits of one chunk and the next, and leave
    holes in the heap that no other logits fit into.
    """

    def __init__(self, tokens: int, config: CaptureConfig, generator: torch.Generator) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self.sample = TokenSample(tokens) if config.source == "sampled" else None
        self._tokens = tokens
        self._config = config
        self._generator = generator
        self._filled = 0

    def add(self, log_probs: torch.Tensor, hidden: torch.Tensor) -> None:
        """Put the next tokens behind those before: batches follow the order of the rows."""
        config, part = self._config, {}
        if self.sample:
            (temperature,) = config.temperatures
            self.sample.add(_tempered(log_probs, temperature), self._generator)
        else:
            part = _keep(log_probs, config)
        if config.hidden_states and self.sample:
            part["hidden"], part["hidden_scales"] = to_8_bits(hidden)
        elif config.hidden_states:
            part["hidden"] = hidden.to(DTYPES[config.dtype])
        self.put(part, len(log_probs))

    def put(self, part: Mapping[str, torch.Tensor], tokens: int) -> None:
        """Put what is kept of the next tokens behind those before."""
        start, self._filled = self._filled, self._filled + tokens
        for name, values in part.items():
            if name not in self.tensors:
                self.tensors[name] = values.new_empty((self._tokens, *values.shape[1:]))
            self.tensors[name][start : self._filled] = values


def _tempered(log_probs: torch.Tensor, temperature: float) -> torch.Tensor:
    return log_probs if temperature == 1 else torch.log_softmax(log_probs / temperature, -1)


def _keep(log_probs: torch.Tensor, config: CaptureConfig) -> dict[str, torch.Tensor]:
    vocabulary = log_probs.shape[-1]
    if config.source == "dense":
        return {"log_probs": log_probs.to(DTYPES[config.dtype])}
    top, ids = log_probs.topk(config.k, -1)
    rest = log_probs.scatter(1, ids, float("-inf"))
    tails = [
        shared_logits(rest, vocabulary, temperature).logsumexp(-1)
        for temperature in config.temperatures
    ]
    return _top_k(top, ids, torch.stack(tails, -1), vocabulary, config)


def _top_k(
    top: torch.Tensor,
    ids: torch.Tensor,
    tails: torch.Tensor,
    vocabulary: int,
    config: CaptureConfig,
) -> dict[str, torch.Tensor]:
    return {
        "log_probs": top.to(DTYPES[config.dtype]),
        "ids": torch.from_numpy(pack(ids.cpu().numpy(), id_bits(vocabulary))),
        "tails": tails.float(),
    }


def _told(said: RowLogProbs, vocabulary: int, config: CaptureConfig) -> dict[str, torch.Tensor]:
    """Return what is kept of a row of whose distributions no more than the top is known.

    What is left of a sum of one is the tail; rounding to float32 may leave less than nothing.
    """
    top, ids = torch.tensor(said.log_probs), torch.tensor(said.ids, dtype=torch.int64)
    left = 1 - top.double().exp().sum(-1, keepdim=True)
    tails = left.clamp_min(torch.finfo(torch.float32).eps).log()
    return _top_k(top, ids, tails, vocabulary, config)


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
