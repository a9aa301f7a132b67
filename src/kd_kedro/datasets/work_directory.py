"""A directory that outlives a run: checkpoints, captured targets, caches."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset


class WorkDirectoryDataset(AbstractDataset[NoReturn, Path]):
    """Gives a node the path of a directory, made if it is not there.

    What lies in it is unversioned and addressed by fingerprint; only its users know it.

    ```yaml
    target_store:
      type: kd_kedro.datasets.work_directory.WorkDirectoryDataset
      filepath: data/05_model_input/target_store
    ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Remember where the directory is to be.

        Args:
            filepath: The directory.
            metadata: Metadata for kedro-viz.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """Return the directory, which then exists.

        Raises:
            OSError: It cannot be made; the message names it.
        """
        try:
            self._filepath.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                f"the work directory {self._filepath} cannot be made ({error.strerror}): "
                "free the path or change the entry in the catalog"
            ) from error
        return self._filepath

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: a node gets the path and writes below it."""
        raise NotImplementedError(f"{self._filepath} is a work directory, nothing is saved to it")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
