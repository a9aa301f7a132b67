"""Parameters of the filtering pipeline."""

from pydantic import BaseModel, ConfigDict

from kd_kedro.curation.duplicates.deduplication_config import DeduplicationConfig
from kd_kedro.curation.relevance.relevance_config import SoapConfig


class FilteringParams(BaseModel):
    """All parameters of the filtering pipeline."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    soap: SoapConfig
    deduplication: DeduplicationConfig
