"""The preprocessing pipeline."""

from kd_kedro.curation.records.schema import CELLS
from kd_kedro.pipelines.preprocessing.params import PreprocessingParams
from kd_kedro.pipelines.preprocessing.pipeline import create_pipeline

__all__ = ["CATALOG_KEYS", "PARAMETERS", "create_pipeline"]

PARAMETERS = PreprocessingParams
CATALOG_KEYS = {
    "qa_csv": "the sheet to work on: CSV, XLSX, JSON lines, Parquet or a dataset folder",
    "qa_sheet": "the sheet of a workbook or the split of a dataset folder, by its name",
    "mended_csv": "a mended copy of quarantined rows, to bring them back",
    **{f"columns.{cell}": f"the sheet's column that holds the {cell}" for cell in CELLS},
    "columns.context": "the sheet's column that holds what only the teacher reads",
    "columns.teacher": "the sheet's column that names the teacher whose targets a row learns from",
    "columns.*": "the sheet's column that holds a further field of a prompt, of the name that "
    "stands in place of the star",
    "columns.options": "the sheet's columns that hold one option each, in order: [A,B,C]",
    "server_url": "with `--env server`: where the model server is, as http://127.0.0.1:8000/v1",
    "server_model": "with `--env server`: the model's name there",
}
