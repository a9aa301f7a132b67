"""The types by which kedro-viz knows a preview; kedro-datasets has no public name for them."""

from kedro_datasets._typing import JSONPreview, TablePreview

__all__ = ["JSONPreview", "TablePreview"]
