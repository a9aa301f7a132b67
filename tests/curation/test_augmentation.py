import pytest

from kd_kedro.curation.augmentation import Candidate, absent_evidence, add_versions
from kd_kedro.curation.rows import SPLIT, table

ROWS = table(
    SPLIT,
    [
        ("r1", "f1", "train", "original", "What is 10% of 500?", "50", "s.csv"),
        ("r2", "f2", "train", "original", "Define goodwill.", "A reputation.", "s.csv"),
        ("r3", "f3", "test", "original", "So, what is 10% of 500?", "50", "s.csv"),
    ],
)


def test_only_versions_that_pass_are_there() -> None:
    made = add_versions(
        ROWS,
        [
            Candidate("r1", "formal", "Kindly tell me: what is 10% of 500?", "rules: formal"),
            Candidate("r1", "casual", "So, what is 10% of 500?", "rules: casual"),
            Candidate("r1", "general", "What is 20% of 500?", "rules: general"),
            Candidate("r2", "formal", "", "failed: no reply"),
            Candidate("r2", "typo", "Define goodwlil.", "rules: typo"),
        ],
        0.5,
    )
    assert list(made.created) == ["r1-formal", "r2-typo"]
    new = made.rows[made.rows["version"] != "original"]
    assert new["answer"].tolist() == ["50", "A reputation."]
    assert new["family_id"].tolist() == ["f1", "f2"]
    assert set(new["split"]) == {"train"}
    assert made.absent["r1"] == {
        "casual": "another row asks the same",  # a held-out row does
        "general": "numbers changed: 10, 20",
    }
    assert absent_evidence(made)["r2"] == {"absent": {"formal": "failed: no reply"}}


def test_a_copy_is_no_version() -> None:
    made = add_versions(ROWS, [Candidate("r2", "formal", "define Goodwill", "ok")], 0.25)
    assert not made.created


def test_held_out_rows_have_no_versions() -> None:
    with pytest.raises(ValueError, match="r3 is not in train"):
        add_versions(ROWS, [Candidate("r3", "formal", "Kindly say.", "ok")], 0.25)
