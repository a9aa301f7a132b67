"""Files that need not be there: JSON, and a CSV table."""

from typing import Any

import pandas as pd
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset


class OptionalJSONDataset(JSONDataset):  # type: ignore[misc]
    """`json.JSONDataset` that loads as an empty mapping where its file is absent.

    It is no claim about the run that reads it, so a run that reads it does not ask whether it is
    stale: the reader looks at what the file says of itself.
    """

    OPTIONAL = True

    def load(self) -> Any:
        """Return the content, or an empty mapping."""
        return super().load() if self._exists() else {}


class OptionalTableDataset(CSVDataset):  # type: ignore[misc]
    """`pandas.CSVDataset` that loads as an empty table where its file is absent."""

    def load(self) -> pd.DataFrame:
        """Return the table, or one without columns and rows."""
        if not self._exists():
            return pd.DataFrame()
        table: pd.DataFrame = super().load()
        return table
