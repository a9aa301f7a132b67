"""Writing: failures in one sentence that names the place, and one writer of a folder at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn whatever goes wrong while a file or folder is written into an OSError that names it.

    The libraries below report a full disk each in its own way, and none says where.
    """
    try:
        yield
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OSError(
            f"{place} could not be written ({reason}): free space or rights there and run again"
        ) from error


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until nobody else writes in a folder, and keep the others waiting. A kill lets it go."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
