"""Trainings side by side, in processes of their own: a small model cannot use every core."""

import logging
import multiprocessing
import pickle
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
        OSError: A worker was ended from outside. What a training raises is raised here too, and
            the others are ended.
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
                f"{key}: a training beside others was ended from outside. Run again, and with "
                f"{key}=1 where they need more memory than there is"
            ) from None
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return {name: made[name] for name in names}


def _begin(given: bytes, threads: int) -> None:
    """Make a new process a worker."""
    global _trainer  # noqa: PLW0603 - how an initializer hands something to what follows
    import torch

    end_with_parent()
    torch.set_num_threads(threads)
    _trainer = pickle.loads(given)


_trainer: Callable[[str], Any]


def _train(name: str) -> bytes:
    return pickle.dumps(_trainer(name))
