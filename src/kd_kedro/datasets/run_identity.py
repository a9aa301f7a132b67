"""Which run this is: what a page must say of itself, and of commands, when it travels alone."""

from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset
from kedro.io.core import Version

from kd_kedro.storage.git import CODE, ask_git


class RunIdentityDataset(AbstractVersionedDataset[Any, dict[str, str]]):
    """Gives the session's timestamp, commit, state of its files and environment; saves nothing.

    ```yaml
    run_identity:
      type: kd_kedro.datasets.run_identity.RunIdentityDataset
      versioned: true
      env: ${environment:}
    ```
    """

    # Where commands have to look is no part of what they show.
    OPERATIONAL = frozenset({"env"})

    def __init__(
        self,
        *,
        env: str = "",
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember the session's environment and version.

        Args:
            env: Its environments as `--env` takes them; '' for none.
            version: Kedro's; its timestamp is the run's.
            metadata: Metadata for kedro-viz.
        """
        super().__init__(PurePosixPath("run_identity"), version)
        self.metadata = metadata
        self._env = env

    def load(self) -> dict[str, str]:
        """Return what is known of the run.

        Returns:
            `run` (Kedro's timestamp), `commit`, `tree` (clean, changed, or unknown), and
            `env_option`, which a command about the run ends with, '' for none.
        """
        project = Path(__file__).resolve().parents[3]
        commit = ask_git(project, "rev-parse", "HEAD")
        changes = ask_git(project, "status", "--porcelain", "--", *CODE)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return {
            "run": str(self._version.save) if self._version and self._version.save else now,
            "commit": commit or "unknown",
            "tree": "unknown" if changes is None else "changed" if changes else "clean",
            "env_option": f" --env {self._env}" if self._env else "",
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
        return {"version": self._version, "env": self._env}
