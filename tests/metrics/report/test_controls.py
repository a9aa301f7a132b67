"""Answers that need no model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.metrics.report.controls import majority_answer, shuffled_answers


def test_the_majority_answer_is_the_commonest_and_of_equals_the_first() -> None:
    assert majority_answer(["b", "a", "b", "c"]) == "b"
    assert majority_answer(["b", "a"]) == "a"
    with pytest.raises(ValueError, match="no row in the train split"):
        majority_answer([])


def test_no_row_keeps_the_answer_of_its_family_and_each_is_given_once() -> None:
    families = ["f", "f", "g", "h", "i", "i", "j"]
    references = [f"answer {row}" for row in range(7)]
    given_out = shuffled_answers(references, families, seed=3)
    assert sorted(given_out) == references
    owner = dict(zip(references, families, strict=True))
    assert all(owner[text] != family for text, family in zip(given_out, families, strict=True))
    assert given_out == shuffled_answers(references, families, seed=3)
    assert given_out != shuffled_answers(references, families, seed=4)


@given(st.lists(st.sampled_from("fghij"), min_size=1, max_size=30), st.integers(0, 5))
def test_never_an_answer_of_its_own_family(families: list[str], seed: int) -> None:
    references = [f"{family}/{row}" for row, family in enumerate(families)]
    given_out = shuffled_answers(references, families, seed=seed)
    alone = len(set(families)) == 1
    for text, family in zip(given_out, families, strict=True):
        assert text == "" if alone else text.split("/")[0] != family
