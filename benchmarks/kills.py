"""Kills capture and training at random moments, runs them again, and compares what they end with.

    python benchmarks/kills.py [--kills 20] [--seed 1] [--json OUT]

A child process captures the targets of a small teacher and trains a student on them. It is killed
with SIGKILL at a moment drawn evenly from the time it takes, and started again on what it left;
the bytes of the captured targets, the student's weights and its history must be those of a child
that nobody killed. There is no rival: a peer's trainer resumes, and promises no same bits.
"""

import argparse
import json
import os
import random
import signal
import tempfile
import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from measuring import at_least, finish, parser, run

PHASES = ["capture", "training", "end"]


def main() -> None:
    arguments = _arguments()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as scratch:
        size = (arguments.rows, arguments.steps)
        whole = Path(scratch) / "whole"
        seconds = _run(whole, *size, None)
        expected = json.loads((whole / "result.json").read_text())
        kills = []
        for number in range(arguments.kills):
            folder = Path(scratch) / str(number)
            after = moments.uniform(0, seconds)
            _run(folder, *size, after)
            during = (folder / "phase").read_text()
            left = sum(1 for _ in folder.rglob("checkpoint-*/complete.json"))
            shards = sum(1 for _ in folder.rglob("shard-*.safetensors"))
            if not (folder / "result.json").exists():
                _run(folder, *size, None)
            same = json.loads((folder / "result.json").read_text()) == expected
            kill = {"after_s": after, "during": during, "checkpoints": left, "shards": shards}
            kills.append({**kill, "same": same})
            print(f"{number + 1}: killed during {during} after {after:.2f} s, ", end="")
            print(f"{shards} shards and {left} checkpoints there: {'same' if same else 'OTHER'}")
    same = sum(kill["same"] for kill in kills)
    figures: dict[str, Any] = {"kills": kills, "same": same, "expected": expected}
    figures["during"] = {name: sum(kill["during"] == name for kill in kills) for name in PHASES}
    finish(figures, f"kills: {same} of {len(kills)} ended with the same hashes", arguments.json)
    if same < len(kills):
        raise ValueError(f"{len(kills) - same} of {len(kills)} kills changed the result")


def _arguments() -> argparse.Namespace:
    made = parser(__doc__, learns=False)
    made.add_argument("--kills", type=at_least(1), default=20, help="how often it is killed")
    made.add_argument("--seed", type=int, default=1, help="of the moments")
    made.add_argument("--rows", type=at_least(2), default=1500, help="rows that are learned from")
    made.add_argument("--steps", type=at_least(2), default=150, help="optimiser steps")
    return made.parse_args()


def _run(folder: Path, rows: int, steps: int, kill_after: float | None) -> float:
    """Run the child in a folder, or kill it; return how long it worked, imports aside."""
    folder.mkdir(exist_ok=True)
    # Forked from a process that has imported the libraries, which takes longer than the work.
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", "kd_kedro.training.loop.train"])
    ready, tell = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(folder, rows, steps, tell))
    child.start()
    tell.close()
    with suppress(EOFError):  # it failed before its work
        ready.recv()
    started = time.perf_counter()
    child.join(kill_after)
    if child.is_alive():
        child.kill()
        child.join()
    if child.exitcode not in (0, -signal.SIGKILL):
        raise ValueError(f"the child failed: {(folder / 'log').read_text()[-500:]}")
    return time.perf_counter() - started


def _child(folder: Path, rows: int, steps: int, ready: Connection) -> None:
    with (folder / "log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        _work(folder, rows, steps, ready)


def _work(folder: Path, rows: int, steps: int, ready: Connection) -> None:
    from kd_kedro.models.build import new_model
    from kd_kedro.models.causal_lm import LanguageModel
    from kd_kedro.models.encoding import encode, pad_token_id
    from kd_kedro.models.model_config import ArchitectureConfig
    from kd_kedro.models.tokenization import train_byte_bpe
    from kd_kedro.storage.fingerprints import settings_fingerprint, weights_fingerprint
    from kd_kedro.training.loop.train import train
    from kd_kedro.training.loop.training_config import ObjectiveConfig, TrainingConfig
    from kd_kedro.training.teacher.capture import capture
    from kd_kedro.training.teacher.capture_config import CaptureConfig
    from kd_kedro.training.teacher.store import identity, open_targets

    names = ["Mehta", "Rao", "Khan", "Das"]
    table = [
        (f"row{n}", f"Sold goods to {names[n % 4]} for {37 * n + 5}", f"Debit {names[n % 4]} {n}")
        for n in range(rows)
    ]
    tokenizer = train_byte_bpe([question for _, question, _ in table], 400)
    teacher = LanguageModel(
        new_model(
            ArchitectureConfig(
                num_hidden_layers=2,
                hidden_size=64,
                num_attention_heads=2,
                dropout=0.0,
                initializer_range=0.1,
            ),
            tokenizer,
            64,
            seed=1,
        ),
        tokenizer,
    )
    student = new_model(
        ArchitectureConfig(
            num_hidden_layers=1,
            hidden_size=32,
            num_attention_heads=2,
            dropout=0.1,
            initializer_range=0.1,
        ),
        tokenizer,
        64,
        seed=2,
    )
    examples = encode(tokenizer, *zip(*table, strict=True), 64)
    belongs_to = identity(table, tokenizer, [(teacher, 1.0)], 64)
    keep = CaptureConfig(
        source="top_k",
        k=8,
        bytes_per_token=32,
        temperatures=(1.0,),
        hidden_states=False,
        dtype="float16",
        precision="fp32",
        batch_size=16,
        rows_per_shard=100,
        seed=1,
    )
    budget = TrainingConfig(
        learning_rate=3e-3,
        batch_size=4,
        gradient_accumulation_steps=2,
        epochs=100,
        max_tokens=10**9,
        max_steps=steps,
        num_evaluations=5,
        save_steps=10,
    )
    (folder / "phase").write_text("capture")
    ready.send(None)
    manifest = capture([(teacher, 1.0)], examples, belongs_to, folder / "store", keep)
    (folder / "phase").write_text("training")
    history = train(
        student,
        examples,
        examples[: rows // 10],
        objective=ObjectiveConfig(alpha=0.5, beta=0.5, divergence="bucketed_forward_kl"),
        targets=open_targets(manifest, folder / "store", belongs_to),
        settings=budget,
        seed=3,
        padding=pad_token_id(tokenizer),
        work_dir=folder / "work",
        description="student",
    )
    result = {
        "targets": settings_fingerprint([shard["sha256"] for shard in manifest["shards"]]),
        "weights": weights_fingerprint(student),
        "history": settings_fingerprint(history),
    }
    unfinished = folder / "result.unfinished"
    unfinished.write_text(json.dumps(result))
    unfinished.replace(folder / "result.json")
    (folder / "phase").write_text("end")


if __name__ == "__main__":
    run(main)
