"""A JSON file that need not be there."""

from typing import Any

from kedro_datasets.json import JSONDataset


class OptionalJSONDataset(JSONDataset):  # type: ignore[misc]
    """`json.JSONDataset` that loads as an empty mapping where its file is absent.

    It is no claim about the run that reads it, so a run that reads it does not ask whether it is
    stale: the reader looks at what the file says of itself.
    """

    OPTIONAL = True

    def load(self) -> Any:
        """Return the content, or an empty mapping."""
        return super().load() if self._exists() else {}
