"""Variety and length of answers by hand."""

from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.metrics.comparison.paired_scores import paired_runs
from kd_kedro.metrics.scores.diversity import (
    DESCRIPTIONS,
    describe_runs,
    distinct,
    length_ratio,
    repetition,
)


def test_distinct_counts_over_all_answers() -> None:
    answers = ["cash is cash", "Cash is king"]
    assert distinct(answers, 1) == pytest.approx(3 / 6)
    assert distinct(answers, 2) == pytest.approx(3 / 4)  # cash is (twice), is cash, is king


def test_repetition_counts_within_an_answer_only() -> None:
    # a b a, b a b, a b a, b a b: two of four stood there before.
    assert repetition(["a b a b a b"]) == pytest.approx(2 / 4)
    assert repetition(["a b c", "a b c"]) == 0


def test_length_ratio() -> None:
    assert length_ratio(["one two", ""], ["one", "two three, four."]) == pytest.approx(2 / 4)


def test_nothing_said_has_no_variety() -> None:
    assert distinct(["", "one"], 2) is None
    assert repetition(["one two"]) is None
    assert length_ratio(["a"], [""]) is None


@given(st.lists(st.text(max_size=40), max_size=5))
def test_shares_lie_between_0_and_1(answers: list[str]) -> None:
    for share in (distinct(answers, 1), distinct(answers, 2), repetition(answers)):
        assert share is None or 0 <= share <= 1


def test_runs_are_described_beside_the_reference(results: Callable[..., pd.DataFrame]) -> None:
    table = results(families=3, seeds=2).assign(reference="one two", prediction="one two")
    table.loc[table["model"] == "student", "prediction"] = "three"
    first = (table["model"] == "student") & (table["seed"] == "0")
    table.loc[first, "prediction"] = "four five six"
    echo = table[table["model"] == "teacher"].assign(model="echo", prediction="")
    told = describe_runs(paired_runs(pd.concat([table, echo])))
    assert list(told) == [each.name for each in DESCRIPTIONS]
    assert told["length_ratio"]["student"] == pytest.approx((3 / 2 + 1 / 2) / 2)
    assert told["length_ratio"]["controls"] == {"echo": 0}
    assert told["distinct_1"]["reference"] == told["distinct_1"]["teacher"] == pytest.approx(2 / 6)
    assert told["distinct_2"]["student"] == pytest.approx(2 / 6)  # of the seed that has pairs
    assert told["repetition"]["teacher"] is None
    assert all(each.signature and each.title for each in DESCRIPTIONS)
    assert all(told[each.name]["signature"] == each.signature for each in DESCRIPTIONS)
