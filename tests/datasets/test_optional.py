"""A JSON file that need not be there."""

from kedro.io import DataCatalog


def test_it_is_an_empty_mapping_until_it_is_saved(tmp_path):
    entry = {
        "type": "kd_kedro.datasets.optional.OptionalJSONDataset",
        "filepath": str(tmp_path / "record.json"),
        "versioned": True,
    }
    assert DataCatalog.from_config({"record": entry}).load("record") == {}
    DataCatalog.from_config({"record": entry}).save("record", {"trials": [1]})
    assert DataCatalog.from_config({"record": entry}).load("record") == {"trials": [1]}
