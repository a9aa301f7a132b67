import numpy as np
import numpy.typing as npt
import pytest

from kd_kedro.curation.records.schema import SPLIT, table
from kd_kedro.curation.rewriting.rewrites import Augmented, Candidate, add_rewrites
from kd_kedro.curation.rewriting.rewriting_config import Limits
from kd_kedro.text.normalise import wording

ROWS = table(
    SPLIT,
    [
        ("r1", "f1", "train", "original", "What is 10% of 500?", "50", "s.csv"),
        ("r2", "f2", "train", "original", "Define goodwill.", "A reputation.", "s.csv"),
        ("r3", "f3", "test", "original", "So, what is 10% of 500?", "50", "s.csv"),
    ],
)
LIMITS = Limits(
    max_typo_share=0.5, similarity_min=0.5, similarity_max=0.999, typo_similarity_min=0.1
)


def _letters(texts: list[str]) -> npt.NDArray[np.float32]:
    """Embed a text as how often each letter stands in it: a real, if simple, embedding."""
    counts = [[1 + text.casefold().count(chr(c)) for c in range(97, 123)] for text in texts]
    vectors = np.array(counts, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _add(*candidates: Candidate, limits: Limits = LIMITS) -> Augmented:
    return add_rewrites(ROWS, candidates, _letters, limits)


def test_only_versions_that_pass_are_there() -> None:
    made = _add(
        Candidate("r1", "formal", "Kindly tell me: what is 10% of 500?", "rules: formal"),
        Candidate("r1", "casual", "So, what is 10% of 500?", "rules: casual"),
        Candidate("r1", "general", "What is 20% of 500?", "rules: general"),
        Candidate("r2", "formal", "", "failed: no reply"),
        Candidate("r2", "typo", "Define goodwlil.", "rules: typo"),
    )
    assert list(made.created) == ["r1-formal", "r2-typo"]
    new = made.rows[made.rows["style"] != "original"]
    assert new["answer"].tolist() == ["50", "A reputation."]
    assert new["family_id"].tolist() == ["f1", "f2"]
    assert set(new["split"]) == {"train"}
    absent = made.evidence["r1"]["absent"]
    assert "asks the same" in absent["casual"]["reason"]  # a held-out row does
    assert absent["general"] == {"reason": "numbers changed: 10, 20"}
    assert made.evidence["r2"]["absent"]["formal"] == {"reason": "failed: no reply"}
    assert made.evidence["r1-formal"]["band"] == [0.5, 0.999]
    assert 0.5 < made.evidence["r1-formal"]["similarity"] < 0.999


def test_a_rewrite_has_the_further_columns_of_its_row() -> None:
    rows = ROWS.assign(context=["one", "two", "three"], teacher=["seed_7", "", ""])
    formal = Candidate("r1", "formal", "Kindly tell me: what is 10% of 500?", "rules: formal")
    typo = Candidate("r2", "typo", "Define goodwlil.", "rules: typo")
    made = add_rewrites(rows, [formal, typo], _letters, LIMITS).rows
    assert made["context"].tolist() == ["one", "two", "three", "one", "two"]
    assert made["teacher"].tolist() == ["seed_7", "", "", "seed_7", ""]


@pytest.mark.parametrize("text", ["define Goodwill", "Define the goodwill!", "“Define” goodwill."])
def test_a_copy_is_no_version(text: str) -> None:
    made = _add(Candidate("r2", "formal", text, "ok"))
    assert not made.created
    assert made.evidence["r2"]["absent"]["formal"]["reason"] == "a copy of its source"


def test_similarity_has_a_band() -> None:
    version = Candidate("r2", "formal", "Kindly define goodwill.", "ok")
    narrow = _add(
        version,
        limits=Limits(
            max_typo_share=0.5, similarity_min=0.1, similarity_max=0.2, typo_similarity_min=0.1
        ),
    )
    reason = narrow.evidence["r2"]["absent"]["formal"]["reason"]
    assert reason.startswith("its source again: similarity 0.9")
    strict = _add(
        version,
        limits=Limits(
            max_typo_share=0.5, similarity_min=0.9999, similarity_max=1.0, typo_similarity_min=0.1
        ),
    )
    finding = strict.evidence["r2"]["absent"]["formal"]
    assert finding["reason"].startswith("too far from its source")
    assert finding["band"] == [0.9999, 1.0]
    misspelt = Candidate("r2", "typo", "Define goodwlil.", "ok")
    assert _add(
        misspelt,
        limits=Limits(
            max_typo_share=0.5, similarity_min=0.9, similarity_max=0.91, typo_similarity_min=0.1
        ),
    ).created


def test_a_version_nearer_to_another_family_is_absent() -> None:
    rows = table(
        SPLIT,
        [
            ("r1", "f1", "train", "original", "What do we call rent?", "A cost.", "s.csv"),
            ("r2", "f2", "test", "original", "What is rent called by us?", "A cost.", "s.csv"),
        ],
    )
    close = Candidate("r1", "general", "What is the rent called by us all?", "ok")
    made = add_rewrites(
        rows,
        [close],
        _letters,
        Limits(
            max_typo_share=0.25, similarity_min=0.1, similarity_max=1.0, typo_similarity_min=0.1
        ),
    )
    finding = made.evidence["r1"]["absent"]["general"]
    assert finding["reason"] == "row r2 asks the same"
    assert finding["score"] > finding["threshold"] == finding["similarity"]


def test_held_out_rows_have_no_versions() -> None:
    with pytest.raises(ValueError, match="r3 is not in train"):
        _add(Candidate("r3", "formal", "Kindly say.", "ok"))


def test_wording_keeps_what_carries_meaning() -> None:
    assert wording("What is the (net) cost?") == wording("what is net cost")
    assert wording("What is 2.5 - 1?") != wording("What is 2.5 + 1?")
