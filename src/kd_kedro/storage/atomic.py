"""Writing: failures in one sentence that names the place, and one writer of a folder at a time."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
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


def write_folder(place: Path, fill: Callable[[Path], None]) -> None:
    """Write a folder beside its place and move it there, so that it appears whole or not at all.

    Args:
        place: Where it is to be; a folder that is there is replaced.
        fill: Writes the files into the folder it is given.

    Raises:
        OSError: It could not be written; the message names it.
    """
    unfinished = place.with_name(f".{place.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with writing(place):
            unfinished.mkdir(parents=True)
            fill(unfinished)
            if place.is_dir():  # only where the entry is not versioned
                shutil.rmtree(place)
            unfinished.replace(place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until nobody else writes in a folder, and keep the others waiting. A kill lets it go."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
