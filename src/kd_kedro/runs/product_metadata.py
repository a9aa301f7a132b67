"""What a catalog entry says of the product it holds, for those who keep records of runs.

It stands in the entry's `metadata`, beside what kedro-viz reads:

    metadata: {kedro-viz: {layer: reporting}, runs: {numbers: true}}
"""

from typing import Any

from kedro.io import DataCatalog
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class ProductMetadata(BaseModel):
    """`metadata.runs` of a catalog entry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kept: bool = Field(
        default=False,
        description="MLflow's copy outlives a pruned version; a table has one only with this.",
    )
    shown: bool = Field(
        default=False, description="Of a table: MLflow shows it beside those of other runs."
    )
    history: bool = Field(
        default=False,
        description="A list of entries with `step`, whose numbers are metrics by step.",
    )
    metrics: str | None = Field(
        default=None, description="Its numbers are metrics; this is what their names begin with."
    )
    verdict: bool = Field(
        default=False, description="A verdict: tag, description and first metrics of its run."
    )
    numbers: bool = Field(
        default=False, description="Its numbers, too many for metrics, are one table."
    )
    trials: bool = Field(default=False, description="A study, whose trials are child runs.")
    measured_part: str = Field(
        default="",
        description="Of JSON: the key of what is measured times; all else can be compared.",
    )
    not_repeatable: str = Field(
        default="", description="Why a second run does not make the same; empty where it does."
    )


def product_metadata(catalog: DataCatalog, name: str) -> ProductMetadata:
    """Return what the catalog says of a product.

    Raises:
        ValueError: It says something that is not known; the message names the entry.
    """
    metadata: dict[str, Any] = getattr(catalog.get(name), "metadata", None) or {}
    try:
        return ProductMetadata.model_validate(metadata.get("runs", {}))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["metadata", "runs", *map(str, first["loc"])])
        raise ValueError(f"{key} of the catalog entry {name}: {first['msg']}") from error
