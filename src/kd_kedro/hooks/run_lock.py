"""Which runs go on: each holds a lock as long as its process lives, so that a lost one is noticed.

A process that is killed (kill -9, no memory left, a machine that stops) says nothing to MLflow.
Its lock is free then, whatever machine or container looks next.
"""

from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

# In the project, where .gitignore has it, also where runs are recorded on a server.
FOLDER = "mlruns/running"
WHY = "Its process ended without a word: kill -9, no memory left, or the machine stopped."


def hold(project: Path, run_id: str) -> FileLock:
    """Return a run's lock, held until it is released or the process ends."""
    folder = project / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / run_id, thread_local=False)
    lock.acquire(blocking=False)
    return lock


def let_go(lock: FileLock) -> None:
    """Release a run's lock: the run has ended."""
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)


def end_lost_runs(client: Any, project: Path) -> None:
    """Call the runs killed whose process is gone; their end is when they last gave a sign.

    Args:
        client: An `MlflowClient`.
        project: The project's folder.
    """
    from mlflow.exceptions import MlflowException

    for path in sorted((project / FOLDER).glob("*")):
        last_sign = path.stat().st_mtime  # before taking the lock, which changes it
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        try:
            if client.get_run(path.name).info.status == "RUNNING":
                client.set_terminated(path.name, "KILLED", round(1000 * last_sign))
                client.set_tag(path.name, "mlflow.note.content", WHY)
        except MlflowException:
            pass  # deleted for good, or of another store
        let_go(lock)
