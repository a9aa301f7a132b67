"""Writing: failures in one sentence that names the place, and one writer of a folder at a time."""

import errno
import fcntl
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_OS_ERROR = re.compile(r"\bos error (\d+)\b")
_REMEDY = {
    errno.ENOSPC: "free space there and run again",
    errno.EDQUOT: "free space there and run again",
    errno.EACCES: "get the right to write there and run again",
    errno.EPERM: "get the right to write there and run again",
    errno.EROFS: "name a place on a file system that can be written to",
    errno.ENAMETOOLONG: "name a shorter place",
}


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn whatever goes wrong while a file or folder is written into an OSError that names it.

    The libraries below report a full disk each in its own way, and none says where.
    """
    try:
        yield
    except Exception as error:
        remedy = _REMEDY.get(_code(error), "run again when that is mended")
        raise OSError(f"{place} could not be written ({first_line(error)}): {remedy}") from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, the error's type where it has none."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


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


def _code(error: BaseException | None) -> int:
    """Return the system's code of an error or of what caused it, 0 where none has one."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        # Libraries in other languages say it in words: "No space left on device (os error 28)".
        if said := _OS_ERROR.search(str(error)):
            return int(said[1])
        error = error.__cause__ or error.__context__
    return 0


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until nobody else writes in a folder, and keep the others waiting. A kill lets it go."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
