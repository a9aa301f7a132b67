"""Failures to write, said in one sentence that names the place."""

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
