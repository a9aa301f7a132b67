"""Rows longer than a limit: how many of which part, and which limit would do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.training.lengths import (
    count_long_rows,
    counts_sentence,
    longest_row,
    too_many_long_rows,
)


def rows(*tokens, name="r"):
    return {f"{name}{number}": size for number, size in enumerate(tokens)}


def test_long_rows_are_counted_by_part_and_listed_longest_first():
    facts = count_long_rows(
        {"training": rows(5, 11, 10, 30), "validation": {}, "held-out": rows(11, 3, name="h")}, 10
    )
    assert facts["limit"] == 10
    assert facts["parts"] == [
        {"part": "training", "rows": 4, "long": 2, "longest": 30},
        {"part": "held-out", "rows": 2, "long": 1, "longest": 11},
    ]
    assert [(row["row_id"], row["part"], row["tokens"]) for row in facts["rows"]] == [
        ("r3", "training", 30),
        ("h0", "held-out", 11),
        ("r1", "training", 11),
    ]
    assert counts_sentence(facts) == "2 of 4 training rows (50 %) and 1 of 2 held-out rows (50 %)"
    assert longest_row(facts) == facts["enough"] == 30  # no row may be cut
    assert too_many_long_rows(facts)


@pytest.mark.parametrize(
    ("training", "held_out", "enough"),
    [
        ([9] * 95 + [20] * 5, [9] * 20, 9),  # five of a hundred
        ([9] * 94 + [20] * 6, [9] * 20, 20),
        ([9] * 94 + [20] * 5 + [15], [9] * 20, 15),
        ([9] * 100, [9] * 8 + [20], 9),  # one row of a part, whatever its share of it
        ([9] * 100, [9] * 8 + [20, 18], 18),
        ([9] * 8, [9] * 8 + [20], 20),  # but of all rows it is more than the share
        ([9] * 3, [], 9),
    ],
)
def test_more_than_a_share_of_a_part_or_of_all_is_too_many(training, held_out, enough):
    parts = {"training": rows(*training), "held-out": rows(*held_out, name="h")}
    facts = count_long_rows(parts, 10, 0.05)
    assert facts["enough"] == enough
    assert too_many_long_rows(facts) == (enough > 10)
    assert not too_many_long_rows(count_long_rows(parts, enough, 0.05))


@given(st.lists(st.integers(1, 50), max_size=60), st.lists(st.integers(1, 50), max_size=30))
def test_what_is_said_to_be_enough_is_and_one_token_less_is_not(training, held_out):
    parts = {"training": rows(*training), "held-out": rows(*held_out, name="h")}
    enough = count_long_rows(parts, 10, 0.1)["enough"]
    assert not too_many_long_rows(count_long_rows(parts, enough, 0.1))
    if enough:
        assert too_many_long_rows(count_long_rows(parts, enough - 1, 0.1))
    assert not too_many_long_rows(count_long_rows(parts, 1, 1.0))


def test_without_rows_there_is_nothing_to_say():
    facts = count_long_rows({}, 10)
    assert (facts["parts"], facts["rows"], longest_row(facts)) == ([], [], 0)
    assert counts_sentence(facts) == ""
    assert not too_many_long_rows(facts)
