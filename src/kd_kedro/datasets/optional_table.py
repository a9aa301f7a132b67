"""A CSV table that need not be there."""

import pandas as pd
from kedro_datasets.pandas import CSVDataset


class OptionalTableDataset(CSVDataset):  # type: ignore[misc]
    """`pandas.CSVDataset` that loads as an empty table where its file is absent."""

    def load(self) -> pd.DataFrame:
        """Return the table, or one without columns and rows."""
        if not self._exists():
            return pd.DataFrame()
        table: pd.DataFrame = super().load()
        return table
