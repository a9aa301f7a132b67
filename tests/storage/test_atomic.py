"""What is said where a file cannot be written: the place, the system's reason, what to do of it."""

import errno
import os
from pathlib import Path

import pytest

from kd_kedro.storage.atomic import writing


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free space there and run again"),
        (errno.EDQUOT, "free space there and run again"),
        (errno.EACCES, "get the right to write there and run again"),
        (errno.EROFS, "name a place on a file system that can be written to"),
        (errno.EIO, "run again when that is mended"),
    ],
)
def test_the_remedy_is_that_of_the_systems_reason(code: int, remedy: str) -> None:
    with (
        pytest.raises(OSError, match="out/x could not be written") as said,
        writing(Path("out/x")),
    ):
        raise OSError(code, os.strerror(code))
    assert str(said.value).endswith(f"({OSError(code, os.strerror(code))}): {remedy}")


def _library(said: str, cause: OSError | None = None) -> None:
    raise RuntimeError(said) from cause


def test_a_librarys_own_words_are_read_and_so_is_what_caused_its_error() -> None:
    with pytest.raises(OSError, match="free space there"), writing(Path("x")):
        _library("I/O error: No space left on device (os error 28)")
    with pytest.raises(OSError, match="get the right"), writing(Path("x")):
        _library("cannot save", PermissionError(errno.EACCES, "Permission denied"))


def test_a_cause_that_is_not_known_is_not_guessed() -> None:
    with (
        pytest.raises(OSError, match=r"written \(RuntimeError\): run again") as said,
        writing(Path("x")),
    ):
        _library("")
    assert "space" not in str(said.value)
