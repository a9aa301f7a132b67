"""Captured teacher targets: opened only where they fit, read through a memory map, joined by row.

A store is a folder named by the fingerprint of all that determines the targets; `target_capture`
writes it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from kd_kedro.training.divergences import BUCKETED, FULL
from kd_kedro.training.examples import IGNORED, TEMPLATE, Batch
from kd_kedro.training.fingerprints import (
    file_fingerprint,
    rows_fingerprint,
    tokenizer_fingerprint,
    weights_fingerprint,
)
from kd_kedro.training.targets import DenseSignal, Signal, TopKSignal


def identity(
    rows: Sequence[tuple[str, str, str]], tokenizer: Any, teacher: Any, max_length: int
) -> dict[str, Any]:
    """Return what targets belong to: the hashes that must be the same when they are used."""
    return {
        "teacher": weights_fingerprint(teacher),
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "template": TEMPLATE,
        "rows": rows_fingerprint(rows),
        "max_length": max_length,
    }


def open_targets(
    manifest: Mapping[str, Any], store: Path, belongs_to: Mapping[str, Any]
) -> "CachedTargets":
    """Open captured targets for the rows, tokenizer and teacher at hand.

    Raises:
        ValueError: If something differs, or a shard is not what was written; one sentence names it.
        FileNotFoundError: If a shard is gone.
    """
    for key, present in belongs_to.items():
        if manifest.get(key) != present:
            raise ValueError(
                f"teacher_targets belong to another {_named(key)} ({manifest.get(key)}) than the "
                f"present one ({present}); run capture_targets again"
            )
    if not manifest.keys() >= {"fingerprint", "shards", "source", "temperature", "vocabulary"}:
        raise ValueError("teacher_targets is no manifest of targets; run capture_targets again")
    folder = store / str(manifest["fingerprint"])
    for shard in manifest["shards"]:
        path = folder / shard["file"]
        if not path.is_file():
            raise FileNotFoundError(
                f"teacher_targets: the shard {path} is gone; run capture_targets again"
            )
        if file_fingerprint(path) != shard["sha256"]:
            raise ValueError(
                f"teacher_targets: the shard {path} is not what was captured (its hash differs); "
                "delete it and run capture_targets again"
            )
    return CachedTargets(manifest, folder)


class CachedTargets:
    """A source that reads captured targets through a memory map, joined by row id."""

    def __init__(self, manifest: Mapping[str, Any], folder: Path) -> None:
        from safetensors.torch import load_file

        self.fingerprint = str(manifest["fingerprint"])
        self.serves = serves(manifest["source"])
        self.temperature = float(manifest["temperature"])
        self._vocabulary = int(manifest["vocabulary"])
        self._shards = [load_file(folder / shard["file"]) for shard in manifest["shards"]]
        self._places: dict[str, tuple[int, int, int]] = {}
        for number, shard in enumerate(manifest["shards"]):
            offsets = self._shards[number]["offsets"].tolist()
            for row, row_id in enumerate(_row_ids(folder / shard["file"])):
                self._places[row_id] = (number, offsets[row], offsets[row + 1])

    def signal(self, batch: Batch) -> Signal:
        """Return the signal of a batch, whatever its rows' order was at capture.

        Raises:
            ValueError: If a row was not captured, or had another number of answer tokens.
        """
        expected = (batch.labels != IGNORED).sum(1).tolist()
        places = []
        for row_id, tokens in zip(batch.row_ids, expected, strict=True):
            place = self._places.get(row_id)
            if place is None or place[2] - place[1] != tokens:
                raise ValueError(
                    f"teacher_targets: row {row_id} was not captured with {tokens} answer tokens; "
                    "run capture_targets again"
                )
            places.append(place)
        device = batch.labels.device
        log_probs = self._gather("log_probs", places).float().to(device)
        if "ids" not in self._shards[0]:
            return DenseSignal(torch.log_softmax(log_probs, -1), self.temperature)
        # Rounding to the stored dtype moved the sum a little off one: the k tokens and the tail
        # together are normalised again, which changes nothing that was there before rounding.
        events = torch.cat([log_probs, self._gather("tail", places)[:, None].to(device)], -1)
        ids = self._gather("ids", places).long().to(device)
        teacher = torch.log_softmax(events, -1)
        return TopKSignal(teacher, ids, self._vocabulary, self.temperature)

    def _gather(self, name: str, places: Sequence[tuple[int, int, int]]) -> torch.Tensor:
        return torch.cat([self._shards[shard][name][start:end] for shard, start, end in places])


def serves(source: str) -> frozenset[str]:
    """Return the divergences that targets captured as `dense` or `top_k` give exactly."""
    return FULL if source == "dense" else BUCKETED


def _row_ids(path: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        row_ids: list[str] = json.loads(file.metadata()["row_ids"])
    return row_ids


def _named(key: str) -> str:
    return {"rows": "set of rows", "max_length": "max_length"}.get(key, key)
