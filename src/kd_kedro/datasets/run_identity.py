"""Which run this is: what a page must say of itself when it travels alone."""

from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset
from kedro.io.core import Version

from kd_kedro.storage.git import CODE, ask_git


class RunIdentityDataset(AbstractVersionedDataset[Any, dict[str, str]]):
    """Gives the session's timestamp, the commit, and whether files differ from it; saves nothing.

    ```yaml
    run_identity:
      type: kd_kedro.datasets.run_identity.RunIdentityDataset
      versioned: true
    ```
    """

    def __init__(
        self, *, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Remember the session's version.

        Args:
            version: Kedro's; its timestamp is the run's.
            metadata: Metadata for kedro-viz.
        """
        super().__init__(PurePosixPath("run_identity"), version)
        self.metadata = metadata

    def load(self) -> dict[str, str]:
        """Return `run` (Kedro's timestamp), `commit` and `tree`: clean, changed, or unknown."""
        project = Path(__file__).resolve().parents[3]
        commit = ask_git(project, "rev-parse", "HEAD")
        changes = ask_git(project, "status", "--porcelain", "--", *CODE)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return {
            "run": str(self._version.save) if self._version and self._version.save else now,
            "commit": commit or "unknown",
            "tree": "unknown" if changes is None else "changed" if changes else "clean",
        }

    def save(self, data: Any) -> None:
        """Refuse.

        Raises:
            ValueError: Always.
        """
        raise ValueError("run_identity is read, never written")

    def _exists(self) -> bool:
        return False  # there is no version of it to go stale

    def _describe(self) -> dict[str, Any]:
        return {"version": self._version}
