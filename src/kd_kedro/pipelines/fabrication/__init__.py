"""The fabrication pipeline."""

from kd_kedro.fabrication.fabrication_config import FabricationParameters
from kd_kedro.pipelines.fabrication.pipeline import create_pipeline

__all__ = ["CATALOG_KEYS", "PARAMETERS", "create_pipeline"]

PARAMETERS = FabricationParameters
CATALOG_KEYS = {"truth_csv": "which defect each row of the sheet has, where that is known"}
