"""A run that is too small to be judged is told before anything is trained."""

from typing import Any

import pandas as pd
import pytest

from kd_kedro.curation.records.schema import SPLIT, table
from kd_kedro.pipelines.evaluation.held_out_size import doubt_before_node, verdict_doubt
from kd_kedro.pipelines.evaluation.params import EvaluationParams
from kd_kedro.runs.parameter_check import with_groups

USUAL: dict[str, Any] = {"test_share": 0.1, "max_rows": 450, "min_families": 30, "seeds": 3}


def split(test: int, train: int, rows_of_a_family: int = 1) -> pd.DataFrame:
    """Return a split table with so many families; train rows have a rewrite each."""
    records = [
        (f"{side}{n}{m}", f"{side}{n}", side, "original", "?", "!", "sheet.csv")
        for side, count in (("test", test), ("train", train))
        for n in range(count)
        for m in range(rows_of_a_family)
    ]
    rewrites = [
        (f"{row[0]}-typo", *row[1:3], "typo", *row[4:]) for row in records if "tr" in row[0]
    ]
    return table(SPLIT, records + rewrites)


def test_as_many_families_as_the_verdict_needs_are_enough() -> None:
    assert verdict_doubt(split(30, 3), **USUAL) == ""
    assert "29 of 32 families" in verdict_doubt(split(29, 3), **USUAL)


def test_families_are_counted_not_rows() -> None:
    doubt = verdict_doubt(split(7, 53, rows_of_a_family=5), **USUAL)
    assert "7 of 60 families of questions are held out, and a verdict needs 30" in doubt
    # 300 rows of 60 families; 30 families and a tenth, at a tenth held out, are 330 of 5 rows.
    assert "About 1700 rows like these would do (300 now, both counted after curation)" in doubt


def test_a_test_share_is_proposed_where_enough_is_left_to_learn_from() -> None:
    # 33 of 100 families.
    doubt = verdict_doubt(split(10, 90), **USUAL)
    assert "a test share of 0.33 (augmentation.split.test, 0.1 now" in doubt
    assert "About 330 rows" in doubt
    small = verdict_doubt(split(7, 53), **USUAL)
    assert "a larger test share alone (augmentation.split.test, 0.1 now) would leave" in small


def test_no_row_held_out_and_no_row_at_all_are_said() -> None:
    assert "0 of 5 families" in verdict_doubt(split(0, 5), **USUAL)
    assert "No row is left" in verdict_doubt(split(0, 0), **USUAL)


def test_the_bound_on_rows_and_the_seeds_are_named() -> None:
    few = verdict_doubt(split(40, 9, rows_of_a_family=2), **{**USUAL, "max_rows": 50})
    assert "25 of 40 held-out families are asked" in few
    assert "evaluation.answering.max_rows (50 now) to 80" in few
    assert "distillation.seeds.count" in verdict_doubt(split(40, 9), **{**USUAL, "seeds": 1})


@pytest.mark.parametrize(
    ("read", "made", "says", "asks"),
    [
        ("split_qa", {"split_qa", "student", "verdict"}, True, True),
        ("split_qa", {"split_qa"}, True, False),  # nothing is trained
        ("augmented_qa", {"student"}, True, True),  # what was split by another run
        ("augmented_qa", {"verdict"}, True, False),
        ("augmented_qa", {"best_hyperparameters"}, False, False),  # nothing is judged
        ("soap_qa", {"split_qa", "student", "verdict"}, False, False),
    ],
)
def test_a_run_is_asked_where_it_goes_on_to_train(
    read: str, made: set[str], says: bool, asks: bool
) -> None:
    parameters = {
        "params:evaluation": with_groups(EvaluationParams, {}),
        "params:augmentation.split": {},
        "params:distillation.seeds": {"count": 3},
    }
    sentence, costly = doubt_before_node({read: split(7, 53)}, made, parameters.__getitem__)
    assert (bool(sentence), bool(sentence) and costly) == (says, asks)
