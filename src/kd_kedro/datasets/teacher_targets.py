"""The manifest of captured teacher targets, with the store that it points into."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset, Version

from kd_kedro.datasets.previews import JSONPreview
from kd_kedro.storage.atomic import writing
from kd_kedro.training.teacher.targets import TeacherTargets


class TeacherTargetsDataset(AbstractVersionedDataset[TeacherTargets, TeacherTargets]):
    """Saves the manifest as versioned JSON; what it points at stays where it was captured.

    ```yaml
    teacher_targets:
      type: kd_kedro.datasets.teacher_targets.TeacherTargetsDataset
      filepath: data/05_model_input/teacher_targets.json
      store: {filepath: data/05_model_input/target_store}
      versioned: true
    ```
    """

    def __init__(
        self,
        *,
        filepath: str,
        store: Mapping[str, str],
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember where manifest and store are to be.

        Args:
            filepath: The manifest, without its version.
            store: `filepath`, the folder of all stores, as of the entry that the capture writes
                to; Kedro makes what has this key absolute.
            version: Kedro's.
            metadata: Metadata for kedro-viz.
        """
        super().__init__(PurePosixPath(filepath), version)
        self._store = Path(store["filepath"])
        self.metadata = metadata

    def load(self) -> TeacherTargets:
        """Return the manifest and its store; no shard is read before the targets are asked.

        Raises:
            ValueError: The manifest is no JSON.
        """
        path = Path(self._get_load_path())
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(
                f"teacher_targets: {path} is no JSON; run capture_targets again"
            ) from error
        return TeacherTargets(manifest, self._store)

    def save(self, data: TeacherTargets) -> None:
        """Write the manifest."""
        path = Path(self._get_save_path())
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(data.manifest), encoding="utf-8")

    def preview(self) -> JSONPreview:
        """Return the manifest for kedro-viz."""
        return JSONPreview(json.dumps(self.load().manifest, ensure_ascii=False))

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {
            "filepath": str(self._filepath),
            "store": str(self._store),
            "version": self._version,
        }
