"""The address of a study's database: read, completed by credentials, never shown whole."""

import pytest
from kedro.io import DatasetError

from kd_kedro.datasets.study_storage import StudyStorageDataset


def test_the_folder_of_a_sqlite_file_is_made(tmp_path):
    file = tmp_path / "a" / "b" / "study.sqlite"
    address = StudyStorageDataset(url=f"sqlite:///{file}").load()
    assert address.database == str(file)
    assert file.parent.is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    dataset = StudyStorageDataset(url=f"sqlite:///{tmp_path}/file/study.sqlite")
    with pytest.raises(DatasetError, match="file of the study's storage cannot be made"):
        dataset.load()


def test_credentials_complete_the_address_and_are_not_shown():
    dataset = StudyStorageDataset(
        url="postgresql+psycopg://host:5432/studies",
        credentials={"username": "me", "password": "p@ss/word"},
    )
    address = dataset.load()
    assert address.username == "me"
    assert address.password == "p@ss/word"
    for shown in (str(dataset), str(address), repr(address)):
        assert "p@ss" not in shown
        assert "p%40ss" not in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"url": "no address, secret"}, "cannot be read: write it in the catalog as sqlite"),
        ({"url": "sqlite://", "credentials": {"user": "me"}}, "hold user: it takes username"),
        ({"url": "sqlite://", "credentials": "secret"}, "are no mapping: write them in cred"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(arguments, said):
    with pytest.raises(ValueError, match=said) as caught:
        StudyStorageDataset(**arguments)
    assert "secret" not in str(caught.value)


def test_nothing_is_saved_to_it():
    with pytest.raises(DatasetError, match="nothing is saved to it"):
        StudyStorageDataset(url="sqlite://").save("anything")
