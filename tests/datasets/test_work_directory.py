"""A node gets a directory that is there."""

import pytest

from kd_kedro.datasets.work_directory import WorkDirectoryDataset


def test_the_directory_is_made_on_loading(tmp_path):
    dataset = WorkDirectoryDataset(filepath=str(tmp_path / "a" / "b"))
    assert not dataset.exists()
    folder = dataset.load()
    assert folder.is_dir()
    (folder / "kept").touch()
    assert (dataset.load() / "kept").exists()
    assert dataset.exists()


def test_a_file_in_its_place_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match=r"the work directory .*file cannot be made"):
        WorkDirectoryDataset(filepath=str(tmp_path / "file")).load()


def test_nothing_is_saved_to_it(tmp_path):
    with pytest.raises(Exception, match="is a work directory"):
        WorkDirectoryDataset(filepath=str(tmp_path)).save("anything")
