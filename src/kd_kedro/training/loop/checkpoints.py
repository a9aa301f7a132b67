"""Checkpoints of a training: whole or not there, in a folder that one training holds at a time.

The folder is named by the fingerprint of all that determines the result, so a training that was
killed finds what it left, and nothing else ever does.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kd_kedro.models.encoding import Example
from kd_kedro.storage.atomic import write_folder, writing
from kd_kedro.storage.fingerprints import (
    config_fingerprint,
    file_fingerprint,
    settings_fingerprint,
    weights_fingerprint,
)

DAYS = 7  # what a training left behind is deleted when nobody went on with it for so long
_PREFIX = "training-"
_CHECKPOINT = "checkpoint-"  # as transformers names them
_MARKER = "complete.json"
_LOCK = "lock"
_FINISHED = "finished"  # weights and history of a training that ended, where they are kept
_HISTORY = "history.json"


def training_fingerprint(
    model: Any, rows: Sequence[Example], validation: Sequence[Example], settings: dict[str, Any]
) -> str:
    """Return the hash of all that determines the weights a training ends with.

    Args:
        model: The model before its training: weights, which of them learn, layers and dropout.
        rows: Training rows.
        validation: Rows that choose the checkpoint.
        settings: Everything else, as plain JSON values.
    """
    import torch
    import transformers

    return settings_fingerprint(
        {
            "weights": weights_fingerprint(model),
            "learned": [name for name, weight in model.named_parameters() if weight.requires_grad],
            "layers": str(model),
            "config": config_fingerprint(model),
            "rows": settings_fingerprint([list(asdict(row).values()) for row in rows]),
            "validation": settings_fingerprint([list(asdict(row).values()) for row in validation]),
            "device": model.device.type,
            "versions": [torch.__version__, transformers.__version__],
            **settings,
        }
    )


@contextmanager
def training_folder(work_dir: Path, fingerprint: str, *, keeps: bool = False) -> Iterator[Path]:
    """Hold the folder of a training, which nobody else can hold until it is let go.

    The same training running twice side by side gets two folders. A training that ends takes its
    folder with it, unless it is to be kept; one that fails leaves it, if there is a checkpoint to
    go on from.

    Args:
        work_dir: Folder of all trainings.
        fingerprint: Fingerprint of this training.
        keeps: Whether the folder stays when the training has ended.
    """
    _forget_abandoned(work_dir)
    number = 1
    while True:
        folder = work_dir / f"{_PREFIX}{fingerprint}{f'-{number}' if number > 1 else ''}"
        with _hold(folder) as held:
            if not held:
                number += 1
                continue
            try:
                yield folder
            except BaseException:
                if last_checkpoint(folder) is None:
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            if not keeps:
                shutil.rmtree(folder, ignore_errors=True)
            return


@contextmanager
def several_trainings(work_dir: Path, name: str) -> Iterator[Path]:
    """Give the folder of trainings that are of use together alone, as those of one node.

    What has ended is kept there until all have, so that after a kill none is trained again.

    Args:
        work_dir: Folder of all trainings.
        name: Name of these.
    """
    folder = work_dir / name
    yield folder
    for training in folder.glob(f"{_PREFIX}*"):
        with _hold(training) as held:
            if held:
                shutil.rmtree(training, ignore_errors=True)


def keep_finished(folder: Path, model: Any, history: Sequence[dict[str, float]]) -> None:
    """Leave what a training ended with in its folder, in place of its checkpoints."""
    from kd_kedro.training.loop.distillation_module import save_learned, whole_module

    def fill(unfinished: Path) -> None:
        save_learned(whole_module(model), unfinished)
        (unfinished / _HISTORY).write_text(json.dumps(history), encoding="ascii")
        complete(unfinished)

    write_folder(folder / _FINISHED, fill)
    for path in folder.iterdir():
        if path.is_dir() and path.name != _FINISHED:
            shutil.rmtree(path, ignore_errors=True)


def take_finished(folder: Path, model: Any) -> list[dict[str, float]] | None:
    """Give a model the weights that its training ended with; return the history.

    Returns:
        None, and the model as it was, where the training has not ended or its files are damaged.
    """
    from kd_kedro.training.loop.distillation_module import load_learned, whole_module

    finished = folder / _FINISHED
    if not _is_whole(finished):
        return None
    load_learned(whole_module(model), finished)
    history: list[dict[str, float]] = json.loads((finished / _HISTORY).read_text("ascii"))
    return history


def complete(checkpoint: Path) -> None:
    """Mark a checkpoint as whole: its marker holds the hash of every file."""
    with writing(checkpoint):
        hashes = {}
        (checkpoint / _MARKER).unlink(missing_ok=True)
        for path in sorted(checkpoint.iterdir()):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            hashes[path.name] = file_fingerprint(path)
        unfinished = checkpoint / f"{_MARKER}.unfinished"
        with unfinished.open("w", encoding="ascii") as marker:
            json.dump(hashes, marker)
            marker.flush()
            os.fsync(marker.fileno())
        unfinished.replace(checkpoint / _MARKER)


def keep_only(kept: Sequence[Path]) -> None:
    """Remove the checkpoints beside these."""
    for other in _checkpoints(kept[0].parent):
        if other not in kept:
            shutil.rmtree(other, ignore_errors=True)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the latest whole checkpoint, and remove those that were never finished or damaged."""
    last = None
    for checkpoint in _checkpoints(folder):
        if _is_whole(checkpoint):
            last = checkpoint
        else:
            shutil.rmtree(checkpoint, ignore_errors=True)
    return last


def whole_steps(folder: Path) -> list[int]:
    """Return the steps that have a whole checkpoint."""
    whole = [checkpoint for checkpoint in _checkpoints(folder) if _is_whole(checkpoint)]
    return [int(checkpoint.name.removeprefix(_CHECKPOINT)) for checkpoint in whole]


def checkpoint_at(folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies."""
    return folder / f"{_CHECKPOINT}{step}"


def _checkpoints(folder: Path) -> list[Path]:
    found = [path for path in folder.glob(f"{_CHECKPOINT}*") if path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.removeprefix(_CHECKPOINT)))


def _is_whole(checkpoint: Path) -> bool:
    try:
        hashes = json.loads((checkpoint / _MARKER).read_text(encoding="ascii"))
        return all(file_fingerprint(checkpoint / name) == kept for name, kept in hashes.items())
    except (OSError, ValueError):
        return False


@contextmanager
def _hold(folder: Path) -> Iterator[bool]:
    """Lock a folder; yields False where another process or thread has it. A kill lets it go."""
    file = None
    while file is None:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # its last holder has just removed the folder
                file = (folder / _LOCK).open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between opening and locking, its last holder may have removed it.
            same = os.fstat(file.fileno()).st_ino == (folder / _LOCK).stat().st_ino
        except OSError:
            same = False
        yield same


def _forget_abandoned(work_dir: Path) -> None:
    if not work_dir.is_dir():
        return
    for folder in work_dir.glob(f"{_PREFIX}*"):
        try:
            newest = max(path.stat().st_mtime for path in [folder, *folder.iterdir()])
        except OSError:  # another training has just removed it
            continue
        if newest < time.time() - DAYS * 86_400:
            with _hold(folder) as held:
                if held:
                    shutil.rmtree(folder, ignore_errors=True)
