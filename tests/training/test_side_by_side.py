"""Jobs in other processes: what they return, and how they end."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from kd_kedro.training.side_by_side import side_by_side

KEY = "distillation.seeds.workers"


class StrangeError(Exception):
    """An error that no other process can make again: its arguments are not those of its text."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} is not {other}")


def job(name: str) -> tuple[torch.Tensor, int, int]:
    """Answer by name: with a tensor, the process it was made in and its threads, or not at all."""
    if name == "fails":
        raise ValueError("the training cannot go on")
    if name == "strange":
        raise StrangeError(1, 2)
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return torch.full((2,), float(name)), os.getpid(), torch.get_num_threads()


def test_each_has_a_process_and_its_share_of_the_threads():
    names = ["3", "1", "2"]
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        made = side_by_side(job, names, 2, KEY)
    finally:
        torch.set_num_threads(before)
    assert list(made) == names
    assert [float(tensor[0]) for tensor, _, _ in made.values()] == [3, 1, 2]
    assert os.getpid() not in {process for _, process, _ in made.values()}
    assert {threads for _, _, threads in made.values()} == {2}


def test_what_a_training_raises_is_raised_and_the_others_end():
    with pytest.raises(ValueError, match="the training cannot go on"):
        side_by_side(job, ["1", "fails", "2"], 2, KEY)
    assert not multiprocessing.active_children()


def test_an_error_that_cannot_be_handed_over_is_named():
    with pytest.raises(RuntimeError, match=r"^StrangeError: 1 is not 2$"):
        side_by_side(job, ["strange", "1"], 2, KEY)


SCRIPT = """
import time
from kd_kedro.training.side_by_side import side_by_side

if __name__ == "__main__":
    side_by_side(time.sleep, [100, 100], 2, "key")
"""


def test_workers_end_with_a_parent_that_is_killed_while_they_start(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, script])
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    while len(started := children.read_text().split()) < 3:  # Python's resource tracker is one
        assert parent.poll() is None, "it ended before it had started its workers"
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{child}").exists() for child in started):
        assert time.monotonic() < deadline, "workers outlive what started them"
        time.sleep(0.1)


def test_a_worker_that_is_killed_is_told_of():
    with pytest.raises(OSError, match=r"distillation\.seeds\.workers: .* ended without a result"):
        side_by_side(job, ["killed", "1"], 2, KEY)
    assert not multiprocessing.active_children()
