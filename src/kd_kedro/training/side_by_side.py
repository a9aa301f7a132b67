"""Trainings side by side, in processes of their own: a small model cannot use every core."""

import logging
import multiprocessing
import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from tqdm import tqdm

from kd_kedro.training.processes import end_with_parent, environment

logger = logging.getLogger(__name__)


def side_by_side(
    train: Callable[[str], Any], names: Sequence[str], workers: int, key: str
) -> dict[str, Any]:
    """Return what `train` makes of each name, in the order of the names.

    The workers share the CPU threads that torch has in this process.

    Args:
        train: Trains what a name stands for; it and what it returns can be pickled.
        names: Names of the trainings.
        workers: Number of processes.
        key: The parameter that says so, for messages.

    Raises:
        OSError: A worker ended without a result, or what a training raised.
        ValueError: What a training raised. The others are then ended.
        RuntimeError: A training raised an error of another kind, which is named.
    """
    import torch

    workers = min(workers, len(names))
    threads = max(1, torch.get_num_threads() // workers)
    # As bytes: tensors would else go through shared memory, of which a container has little.
    given = pickle.dumps(train)
    others = multiprocessing.active_children()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _begin, (given, threads))
    made: dict[str, Any] = {}
    try:
        # tqdm reads it when a worker imports it. Bars of several would overwrite each other.
        with environment("TQDM_DISABLE", "1"):
            asked = {pool.submit(_train, name): name for name in names}
        with tqdm(total=len(names), desc="students", unit="training", disable=None) as bar:
            for done in as_completed(asked):
                made[asked[done]] = pickle.loads(done.result())
                bar.update(1)
                logger.info("%s is trained, %d of %d", asked[done], len(made), len(names))
    except BaseException as error:
        for worker in multiprocessing.active_children():
            if worker not in others:
                worker.terminate()
        if isinstance(error, BrokenProcessPool):
            raise OSError(
                f"{key}: a process that trained beside others ended without a result. It was "
                "killed, memory ran out, or the run was begun by a script that lacks `if __name__ "
                f"== '__main__':`. With {key}=1 there is one process alone"
            ) from None
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return {name: made[name] for name in names}


def _begin(given: bytes, threads: int) -> None:
    """Make a new process a worker."""
    global _trainer  # noqa: PLW0603 - how an initializer hands something to what follows
    end_with_parent()
    # tqdm's own is a named semaphore, which a worker that is ended would leave behind.
    tqdm.set_lock(threading.RLock())
    import torch

    torch.set_num_threads(threads)
    _trainer = pickle.loads(given)


_trainer: Callable[[str], Any]


def _train(name: str) -> bytes:
    try:
        return pickle.dumps(_trainer(name))
    except (ValueError, OSError) as error:
        # Errors of other libraries cannot all be handed to another process; these can.
        kind = ValueError if isinstance(error, ValueError) else OSError
        raise kind(str(error)) from error
    except Exception as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error
