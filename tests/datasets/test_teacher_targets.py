"""The manifest of teacher targets comes back with the store it points into."""

import json

import pytest
from kedro.io import DatasetError, Version

from kd_kedro.datasets.teacher_targets import TeacherTargetsDataset
from kd_kedro.training.teacher.targets import TeacherTargets

VERSION = "2026-01-01T00.00.00.000Z"


def dataset(folder):
    return TeacherTargetsDataset(
        filepath=str(folder / "targets.json"),
        store={"filepath": str(folder / "store")},
        version=Version(None, VERSION),
    )


def test_the_manifest_is_json_and_the_store_is_that_of_the_catalog(tmp_path):
    targets = TeacherTargets({"fingerprint": "abc", "temperatures": [1.0]}, tmp_path / "elsewhere")
    dataset(tmp_path).save(targets)
    (file,) = tmp_path.glob("targets.json/*/targets.json")
    assert json.loads(file.read_text()) == targets.manifest
    loaded = dataset(tmp_path).load()
    assert loaded == TeacherTargets(targets.manifest, tmp_path / "store")
    assert json.loads(str(dataset(tmp_path).preview())) == targets.manifest


def test_a_manifest_that_is_no_json_is_named(tmp_path):
    dataset(tmp_path).save(TeacherTargets({}, tmp_path))
    (file,) = tmp_path.glob("targets.json/*/targets.json")
    file.write_text("{")
    with pytest.raises(DatasetError, match=r"targets\.json is no JSON; run capture_targets again"):
        dataset(tmp_path).load()
