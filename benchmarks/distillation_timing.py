"""The measurements of the distillation benchmark, each made in a process of its own."""

import contextlib
import os
import re
import resource
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from distillation_workload import Size, new_gpt2

from kd_kedro.models.encoding import Example

Tasks = Callable[[], list[Callable[[], Any]]]


@dataclass(frozen=True)
class Job:
    """What a measuring process gets.

    Attributes:
        size: The setting.
        examples: The rows of an epoch.
        equal: Whether all sides take them in the order they have, or each in its own.
        folder: Holds the tokenizer and the captured targets.
        threads: Of the matrix products.
        manifest: Of the captured targets, once there are any.
    """

    size: Size
    examples: Sequence[Example]
    equal: bool
    folder: Path
    threads: int
    manifest: dict[str, Any] | None = None


def in_process(work: Callable[..., Any], *given: Any) -> Any:
    """Return what a function returns in a fresh process, which ends with it."""
    # Each is forked from a process that only has the libraries: no side starts with memory or
    # threads of another, and none pays for their import again.
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", "kd_kedro.training.loop.train"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *given).result()


def prepare(job: Job) -> dict[str, Any]:
    """Capture the targets; return their manifest and the losses of one batch, side by side."""
    with _alone(job) as (sides, tokenizer):
        size, rows, dense = job.size, job.examples[: job.size.batch_size], job.folder / "dense"
        teacher = _teacher(size, tokenizer)
        manifest = sides.captured(size, job.examples, teacher, job.folder)
        whole = sides.captured(size, rows, teacher, dense, source="dense", dtype="float32")
        sources = {
            "cached": sides.opened(manifest, job.folder),
            "dense": sides.opened(whole, dense),
            "live": sides.live(teacher),
            "text": None,
        }
        shutil.rmtree(dense)
        trainers = {
            "gkd": sides.gkd(size, rows, teacher, job.folder),
            "sft": sides.sft(size, rows, tokenizer, job.folder),
        }
        for name, source in sources.items():
            trainers[name] = sides.ours(size, rows, tokenizer, job.folder, source)
        losses = {}
        for name, trainer in trainers.items():
            side = sides.Side(trainer, range(len(rows)), size.batch_size)
            losses[name] = side.loss(next(side.batches()))
    return {"manifest": manifest, "losses": losses}


def seconds(job: Job, rounds: int) -> dict[str, Any]:
    """Return the seconds of an epoch of each side, round by round, the sides in turns."""
    with _alone(job) as (sides, tokenizer):
        epochs = _epochs(sides, job, tokenizer)
        for tasks in epochs.values():
            tasks()[0]()
        taken: dict[str, list[float]] = {name: [] for name in epochs}
        rates = []
        for _ in range(rounds):
            rates.append(_flops_per_second(job.size))
            for name, tasks in epochs.items():
                taken[name].append(_seconds_of(tasks))
    return {"seconds": taken, "flops_per_second": rates}


def peak(job: Job, name: str) -> float:
    """Return the most memory that an epoch of one side takes, in megabytes.

    On a GPU that of its tensors; else of the whole process, libraries included.
    """
    import torch

    with _alone(job) as (sides, tokenizer):
        side = _side(sides, job, tokenizer, name)
        for rows in side.batches():
            side.step(rows)
        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated() / 1e6
    return _peak_resident()


def _epochs(sides: Any, job: Job, tokenizer: Any) -> dict[str, Tasks]:
    """Return for each side what makes the steps of an epoch."""
    import torch

    from kd_kedro.models.encoding import batches_by_length, collate, pad_token_id

    teacher = _teacher(job.size, tokenizer)
    lengths = [len(row.input_ids) for row in job.examples]

    def forward() -> list[Callable[[], Any]]:
        return [
            partial(ask, [job.examples[row] for row in chosen])
            for chosen in batches_by_length(lengths, job.size.batch_size)
        ]

    def ask(rows: list[Example]) -> None:
        model, batch = teacher.model, collate(rows, pad_token_id(tokenizer))
        with torch.inference_mode():
            model(input_ids=batch.input_ids.to(model.device), use_cache=False)

    def capture() -> list[Callable[[], Any]]:
        return [partial(keep, job.folder / "again")]

    def keep(store: Path) -> None:
        shutil.rmtree(store, ignore_errors=True)
        sides.captured(job.size, job.examples, teacher, store)

    def steps(side: Any) -> list[Callable[[], Any]]:
        return [partial(side.step, rows) for rows in side.batches()]

    epochs: dict[str, Tasks] = {"forward": forward, "capture": capture}
    for name in ("cached", "live", "gkd", "sft", "text", "transformers"):
        side = _side(sides, job, tokenizer, name, teacher)
        epochs[name] = partial(steps, side)
        if name == "gkd" and not job.equal:
            epochs["gkd_grouped"] = partial(steps, side.grouped_by_length())
    return epochs


def _side(sides: Any, job: Job, tokenizer: Any, name: str, teacher: Any = None) -> Any:
    """Return a side ready to step, with a teacher of its own where it needs one and got none.

    GKD never shares one: on a GPU it wraps the teacher's forward pass.
    """
    size, rows, folder = job.size, job.examples, job.folder
    if name == "gkd" or (name == "live" and teacher is None):
        teacher = _teacher(size, tokenizer)
    if name == "gkd":
        trainer = sides.gkd(size, rows, teacher, folder)
    elif name in ("sft", "transformers"):
        trainer = getattr(sides, name)(size, rows, tokenizer, folder)
    else:
        sources = {"cached": lambda: sides.opened(job.manifest, folder), "text": lambda: None}
        sources["live"] = lambda: sides.live(teacher)
        trainer = sides.ours(size, rows, tokenizer, folder, sources[name]())
    order = range(len(rows)) if job.equal else trainer._get_train_sampler()
    return sides.Side(trainer, order, size.batch_size)


def _teacher(size: Size, tokenizer: Any) -> Any:
    import torch

    from kd_kedro.models.causal_lm import LanguageModel

    model = new_gpt2(size.teacher, size, seed=0).eval()
    if torch.cuda.is_available():
        model = model.to("cuda", torch.bfloat16)
    return LanguageModel(model, tokenizer)


def _seconds_of(tasks: Tasks) -> float:
    import torch

    made = tasks()
    _wait(torch)
    start = time.perf_counter()
    for task in made:
        task()
    _wait(torch)
    return time.perf_counter() - start


def _flops_per_second(size: Size) -> float:
    """Return the rate of the teacher's largest product in a block, the fastest of ten."""
    import torch

    cuda = torch.cuda.is_available()
    width, dtype = size.teacher.width, torch.bfloat16 if cuda else torch.float32
    tokens = size.batch_size * size.length
    device = "cuda" if cuda else "cpu"
    left = torch.randn(tokens, width, device=device, dtype=dtype)
    right = torch.randn(width, 4 * width, device=device, dtype=dtype)
    best = min(_seconds_of(lambda: [partial(torch.mm, left, right)]) for _ in range(10))
    return 8.0 * tokens * width**2 / best


def _wait(torch: Any) -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextlib.contextmanager
def _alone(job: Job) -> Iterator[tuple[Any, Any]]:
    """Set the threads and silence the libraries; yield the module of sides and the tokenizer."""
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    warnings.simplefilter("ignore")
    import distillation_sides
    import torch
    from transformers import AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    torch.set_num_threads(job.threads)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        yield distillation_sides, AutoTokenizer.from_pretrained(job.folder / "tokenizer")


def _peak_resident() -> float:
    """Return the most memory this process had, in megabytes."""
    try:  # getrusage would count what the parent had when it made this process
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e6  # type: ignore[index]
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
