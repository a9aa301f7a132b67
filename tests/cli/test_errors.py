"""What a user reads of an error: the sentence written for him, not what caused it."""

import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError

from kd_kedro.cli.errors import sentence

OURS = "student.pretrained: no model could be loaded from '/nowhere'; give another"


def raised(error: Exception, cause: Exception) -> Exception:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


@pytest.mark.parametrize("kind", [OSError, ValueError])
def test_a_sentence_of_ours_hides_what_caused_it(kind: type[Exception]) -> None:
    assert sentence(raised(kind(OURS), RuntimeError("inner words"))) == OURS
    wrapped = raised(DatasetError("failed while loading"), raised(kind(OURS), OSError(2, "No")))
    assert sentence(wrapped) == OURS


def test_what_the_system_refused_is_named_by_its_file() -> None:
    refused = raised(DatasetError("failed"), FileNotFoundError(2, "No such file", "a.csv"))
    assert sentence(refused) == "No such file: a.csv"


def test_a_database_that_fails_is_called_by_whoever_keeps_it() -> None:
    from mlflow.exceptions import MlflowException
    from optuna.exceptions import StorageInternalError

    full = sqlite3.OperationalError("database or disk is full")
    ended = "could not be used: database or disk is full"
    assert sentence(full) == f"an SQLite file {ended}"
    assert sentence(raised(MlflowException("no"), full)) == f"the MLflow store {ended}"
    assert sentence(raised(StorageInternalError("no"), full)) == f"the study's database {ended}"


def test_missing_credentials_name_both_pages_that_say_how_to_write_them() -> None:
    said = sentence(raised(KeyError("Unable to find credentials 'db'"), KeyError("db")))
    assert "credentials db" in said
    assert "docs/generation.md" in said
    assert "docs/tuning.md" in said


def test_a_table_that_its_schema_refuses_is_named(tmp_path: Path) -> None:
    from kedro.io import DataCatalog

    entry = {
        "type": "pandas.CSVDataset",
        "filepath": str(tmp_path / "table.csv"),
        "validator": "kd_kedro.datasets.tables.row_waterfall",
    }
    catalog = DataCatalog.from_config({"row_waterfall": entry})
    columns = ["stage", "in", "created", "out", "dropped", "quarantined"]
    with pytest.raises(DatasetError) as caught:
        catalog.save("row_waterfall", pd.DataFrame([["soap", "many", *"0000"]], columns=columns))
    assert sentence(caught.value) == (
        "row_waterfall: column in, row 1 is 'many', not a whole number"
    )
    assert not (tmp_path / "table.csv").exists()


def test_configuration_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    from kedro.config import OmegaConfigLoader
    from yaml import YAMLError

    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "parameters.yml").write_text("a: [1\nb: 2\n", encoding="utf-8")
    loader = OmegaConfigLoader(str(tmp_path), base_env="base", default_run_env="base")
    with pytest.raises(YAMLError) as caught:
        loader["parameters"]
    assert "base/parameters.yml" in sentence(caught.value)
