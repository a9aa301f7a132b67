"""A few files that belong together, as one versioned folder."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset, Version

from kd_kedro.datasets.previews import JSONPreview
from kd_kedro.storage.atomic import write_folder


class FileFolderDataset(AbstractVersionedDataset[Mapping[str, bytes], dict[str, bytes]]):
    """Saves contents by file name; the folder appears whole or not at all.

    ```yaml
    lm_eval_tasks:
      type: kd_kedro.datasets.file_folder.FileFolderDataset
      filepath: data/08_reporting/lm_eval_tasks
      versioned: true
    ```
    """

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember where the folder is to be.

        Args:
            filepath: The folder, without its version.
            version: Kedro's.
            metadata: Metadata for kedro-viz.
        """
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def load(self) -> dict[str, bytes]:
        """Return the contents by file name."""
        files = sorted(path for path in Path(self._get_load_path()).iterdir() if path.is_file())
        return {path.name: path.read_bytes() for path in files}

    def save(self, data: Mapping[str, bytes]) -> None:
        """Write the folder beside its place, then move it there."""

        def fill(folder: Path) -> None:
            for name, content in data.items():
                (folder / name).write_bytes(content)

        write_folder(Path(self._get_save_path()), fill)

    def preview(self) -> JSONPreview:
        """Return the names of the files and their sizes in bytes, for kedro-viz."""
        return JSONPreview(json.dumps({k: len(v) for k, v in self.load().items()}))

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}
