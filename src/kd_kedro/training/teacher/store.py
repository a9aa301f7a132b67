"""Captured teacher targets: opened only where they fit, read through a memory map, joined by row.

A store is a folder named by the fingerprint of all that determines the targets; `capture`
writes it.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import IGNORED, Batch
from kd_kedro.models.prompt_format import asked_as
from kd_kedro.storage.fingerprints import (
    config_fingerprint,
    file_fingerprint,
    rows_fingerprint,
    settings_fingerprint,
    tokenizer_fingerprint,
    weights_fingerprint,
)
from kd_kedro.training.teacher.capture_config import serves
from kd_kedro.training.teacher.hidden_states import from_8_bits
from kd_kedro.training.teacher.packed_bits import id_bits, unpack
from kd_kedro.training.teacher.signals import DenseSignal, SampledSignal, Signal, TopKSignal
from kd_kedro.training.teacher.token_sample import IdCode, SampledShard, read_rows

SCHEMA = 5  # of the manifest and of the shards
_Place = tuple[int, int, int]  # a shard's number, a row's there, the number after it
Teachers = Sequence[tuple[LanguageModel, float]]  # each with its weight; the weights sum to one


def identity(
    rows: Sequence[tuple[str, str, str]],
    tokenizer: Any,
    teachers: Teachers,
    max_length: int,
    named: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return what targets belong to: the hashes that must be the same when they are used.

    Args:
        rows: Id, question and answer of each.
        tokenizer: What they are tokens of.
        teachers: Each with its share.
        max_length: Most tokens of a row.
        named: By row id the teacher that a row names.
    """
    return {
        "named": settings_fingerprint(dict(named)) if named else "",
        "teacher": teachers_fingerprint(teachers),
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "template": asked_as(tokenizer),
        "rows": rows_fingerprint(rows),
        "max_length": max_length,
    }


def teachers_fingerprint(teachers: Teachers) -> str:
    """Return the hash of all teachers' weights, configurations and shares."""
    return settings_fingerprint(
        [[*_teacher_fingerprint(teacher), share] for teacher, share in teachers]
    )


def _teacher_fingerprint(teacher: LanguageModel) -> tuple[Any, ...]:
    if teacher.server is not None:
        return ("server", teacher.server.identity())
    return weights_fingerprint(teacher.model), config_fingerprint(teacher.model)


def open_targets(
    manifest: Mapping[str, Any], store: Path, belongs_to: Mapping[str, Any]
) -> "CachedTargets":
    """Open captured targets for the rows, tokenizer and teacher at hand.

    Every shard is read once in a process to see that its bytes are those that were captured.

    Raises:
        ValueError: If something differs, or a shard is not what was written; one sentence names it.
        FileNotFoundError: If a shard is gone.
    """
    if manifest.get("schema") != SCHEMA:
        raise ValueError(
            f"teacher_targets is no manifest of schema {SCHEMA} but of {manifest.get('schema')}; "
            "run capture_targets again"
        )
    check_identity(manifest, belongs_to)
    folder = store / str(manifest["fingerprint"])
    for shard in manifest["shards"]:
        path = folder / shard["file"]
        if not path.is_file():
            raise FileNotFoundError(
                f"teacher_targets: the shard {path} is gone; run capture_targets again"
            )
        facts = path.stat()
        if _hash_of(path, facts.st_mtime_ns, facts.st_size) != shard["sha256"]:
            raise ValueError(
                f"teacher_targets: the shard {path} is not what was captured (its hash differs); "
                "delete it and run capture_targets again"
            )
    return CachedTargets(manifest, folder)


def check_identity(manifest: Mapping[str, Any], belongs_to: Mapping[str, Any]) -> None:
    """Refuse targets of other rows, another tokenizer or teacher than those at hand.

    Raises:
        ValueError: The message names what differs.
    """
    for key, present in belongs_to.items():
        if manifest.get(key) != present:
            raise ValueError(
                f"teacher_targets belong to another {_named(key)} ({manifest.get(key)}) than the "
                f"present one ({present}); run capture_targets again"
            )


@lru_cache(maxsize=65_536)
def _hash_of(path: Path, _changed: int, _size: int) -> str:
    # Several students of one process read the same shards: they are hashed once.
    return file_fingerprint(path)


class CachedTargets:
    """A source that reads captured targets through a memory map, joined by row id."""

    def __init__(self, manifest: Mapping[str, Any], folder: Path) -> None:
        from safetensors.torch import load_file

        self.manifest = manifest
        self.folder = folder
        self.fingerprint = str(manifest["fingerprint"])
        self.serves = serves(manifest["source"])
        self.hidden_width: int | None = manifest["hidden_width"]
        self._captured = tuple(float(value) for value in manifest.get("temperatures", ()))
        self.temperatures = None if manifest["source"] == "dense" else self._captured
        self._vocabulary = int(manifest["vocabulary"])
        self._shards = [load_file(folder / shard["file"]) for shard in manifest["shards"]]
        self._offsets = [shard["offsets"].tolist() for shard in self._shards]
        self._places: dict[str, _Place] = {}
        for number, shard in enumerate(manifest["shards"]):
            for row, row_id in enumerate(_row_ids(folder / shard["file"])):
                self._places[row_id] = (number, row, row + 1)
        self._sampled: list[SampledShard] = []
        if manifest["source"] == "sampled":
            self._code = IdCode.best(self._vocabulary, manifest["bytes_per_token"])
            self._sampled = [SampledShard(shard, self._code) for shard in self._shards]

    def signal(self, batch: Batch, temperature: float) -> Signal:
        """Return the signal of a batch, whatever its rows' order was at capture.

        Raises:
            ValueError: If a row was not captured, or had another number of answer tokens.
        """
        places, device = self._find(batch), batch.labels.device
        hidden = self._gather("hidden", places).to(device) if self.hidden_width else None
        if self._sampled:
            if hidden is not None:
                hidden = from_8_bits(hidden, self._gather("hidden_scales", places).to(device))
            rows = [(self._sampled[shard], row, end) for shard, row, end in places]
            shares, ids, entropy = (part.to(device) for part in read_rows(rows, self._code))
            return SampledSignal(shares, ids, entropy, self._vocabulary, temperature, hidden)
        # Rounding to the stored dtype moved the sum a little off one, and another temperature
        # needs another one: the events are normalised here, after both.
        log_probs = self._gather("log_probs", places).to(device).float() / temperature
        if self.manifest["source"] == "dense":
            return DenseSignal(torch.log_softmax(log_probs, -1), temperature, hidden)
        tail = self._gather("tails", places).to(device)[:, self._captured.index(temperature)]
        teacher = torch.log_softmax(torch.cat([log_probs, tail[:, None]], -1), -1)
        packed, k = self._gather("ids", places).numpy(), log_probs.shape[-1]
        ids = torch.from_numpy(unpack(packed, k, id_bits(self._vocabulary)))
        return TopKSignal(teacher, ids.to(device), self._vocabulary, temperature, hidden)

    def _find(self, batch: Batch) -> list[_Place]:
        expected = (batch.labels != IGNORED).sum(1).tolist()
        places = []
        for row_id, tokens in zip(batch.row_ids, expected, strict=True):
            if not tokens:  # a row that only keeps processes in step
                places.append((0, 0, 0))
                continue
            place = self._places.get(row_id)
            if place is None or self._tokens(place) != tokens:
                raise ValueError(
                    f"teacher_targets: row {row_id} was not captured with {tokens} answer tokens; "
                    "run capture_targets again"
                )
            places.append(place)
        return places

    def _tokens(self, place: _Place) -> int:
        shard, row, end = place
        return int(self._offsets[shard][end] - self._offsets[shard][row])

    def _gather(self, name: str, places: Sequence[_Place]) -> torch.Tensor:
        return torch.cat(
            [
                self._shards[shard][name][self._offsets[shard][row] : self._offsets[shard][end]]
                for shard, row, end in places
            ]
        )


def _row_ids(path: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        row_ids: list[str] = json.loads(file.metadata()["row_ids"])
    return row_ids


def _named(key: str) -> str:
    said = {"rows": "set of rows", "named": "column teacher of the examples"}
    return said.get(key, key)
