"""What a user reads of an error: the sentence written for him, not what caused it."""

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


def test_missing_credentials_name_both_pages_that_say_how_to_write_them() -> None:
    said = sentence(raised(KeyError("Unable to find credentials 'db'"), KeyError("db")))
    assert "credentials db" in said
    assert "docs/generation.md" in said
    assert "docs/tuning.md" in said
