"""Nodes of the fabrication pipeline."""

from typing import Any

import pandas as pd

from kd_kedro.fabrication.fabrication_config import FabricationParameters
from kd_kedro.fabrication.records import make_rows
from kd_kedro.fabrication.sheet import write_sheet


def fabricate_sheet(
    vocabulary: dict[str, Any], parameters: FabricationParameters
) -> tuple[str, pd.DataFrame]:
    """Make the sample sheet and the truth about every defect planted in it.

    Args:
        vocabulary: Concepts, transactions, names and off-topic subjects.
        parameters: Seed, size and composition.

    Returns:
        The text of the CSV file, and one row of truth per record.
    """
    return write_sheet(make_rows(parameters, vocabulary))
