"""What a catalog entry says of its product is read from `metadata.runs`, and a slip is named."""

from typing import Any

import pytest
from kedro.io import DataCatalog

from kd_kedro.runs.product_metadata import ProductMetadata, product_metadata


def catalog(**metadata: Any) -> DataCatalog:
    entry = {"type": "text.TextDataset", "filepath": "a.txt", "metadata": metadata}
    return DataCatalog.from_config({"product": entry})


def test_what_is_said_is_read() -> None:
    said = product_metadata(catalog(runs={"kept": True, "metrics": "best."}), "product")
    assert said == ProductMetadata(kept=True, metrics="best.")


def test_what_says_nothing_is_nothing_special() -> None:
    assert product_metadata(catalog(), "product") == ProductMetadata()
    assert product_metadata(DataCatalog(), "in_memory") == ProductMetadata()


def test_a_slip_names_the_entry() -> None:
    with pytest.raises(ValueError, match=r"^metadata\.runs\.keep of the catalog entry product: "):
        product_metadata(catalog(runs={"keep": True}), "product")
