"""What processes that train have in common: their signals, environment and end."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def exit_words(code: int) -> str:
    """Return in words how a process ended; a negative exit code is that of a signal."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def end_with_parent() -> None:
    """End this process when its parent is gone, however that came about, or asks for it.

    Called before anything that takes time; a parent that is gone by then is noticed all the same.
    """
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    for number in SIGNALS:
        signal.signal(number, lambda *_: os._exit(1))


@contextmanager
def environment(name: str, value: str | None) -> Iterator[None]:
    """Set a variable that processes started in the block have; None changes nothing."""
    before = os.environ.get(name)
    if value is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
