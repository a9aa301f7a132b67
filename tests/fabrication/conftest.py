"""The committed sample and a small one made afresh."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from kd_kedro.fabrication.fabrication_config import FabricationParameters
from kd_kedro.pipelines.fabrication.nodes import fabricate_sheet

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def vocabulary() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "conf/base/fabrication/vocabulary.yml").read_text("utf-8"))


@pytest.fixture(scope="session")
def settings() -> dict[str, Any]:
    text = (ROOT / "conf/base/fabrication/parameters.yml").read_text("utf-8")
    return FabricationParameters(**yaml.safe_load(text)["fabrication"]).model_dump()


@pytest.fixture(scope="session")
def sample(vocabulary, settings) -> tuple[str, pd.DataFrame]:
    """The sample as the pipeline makes it with the committed parameters."""
    return fabricate_sheet(vocabulary, FabricationParameters(**settings))


@pytest.fixture(scope="session")
def records(sample) -> pd.DataFrame:
    """The truth with the cells of each record beside it; '' where a record has too many."""
    text, truth = sample
    cells = list(csv.reader(text.splitlines(keepends=True)))[1:]
    names = ["question", "answer", "verdict", "correction", "remarks"]
    readable = [row if len(row) == 5 else [""] * 5 for row in cells]
    return truth.join(pd.DataFrame(readable, columns=names))
