"""Keeping the console for what a user needs: no bars and warnings of the libraries below."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Let transformers say errors only and draw no bars of its own, then as it was before.

    It draws a bar for every file it reads or writes, and warns of tied weights that a checkpoint
    rightly has once and of a mask that right-padded causal batches do not need.
    """
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
