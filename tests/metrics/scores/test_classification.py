"""Labels: which there are, which one an answer names, and the shares by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from kd_kedro.metrics.scores.classification import (
    UNPARSABLE,
    classification_report,
    label_statistics,
    labels_of,
    macro_f1,
    parse_label,
)

LABELS = ("asset", "contra asset", "liability", "no", "yes")


def test_labels_are_words_that_enough_families_share() -> None:
    answers = [
        "Asset",
        "asset.",
        "Liability",
        "liability",
        "Expense",
        "Expense",
        "12",
        "12",
        "It is.",
    ]
    families = ["a", "b", "a", "b", "a", "a", "a", "b", "a"]
    assert labels_of(answers, families, min_families=2) == ("asset", "liability")


def test_one_label_is_no_choice() -> None:
    assert labels_of(["Asset", "Asset", "Rent"], ["a", "b", "c"], min_families=2) == ()
    assert labels_of([], [], min_families=1) == ()


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ("Asset", "asset"),
        (" LIABILITY. ", "liability"),
        ("Contra asset", "contra asset"),
        ("Contra asset: it reduces one", "contra asset"),
        ("Yes, since it was bought.", "yes"),
        ("Yes. No doubt.", "yes"),
        ("Asset - owned by the firm", "asset"),
        ("Asset\nLiability", "asset"),
        ("Yes, or no", UNPARSABLE),
        ("It is an asset", UNPARSABLE),
        ("Not an asset", UNPARSABLE),
        ("assets", UNPARSABLE),
        ("Nobody knows", UNPARSABLE),
        ("a", UNPARSABLE),
        ("", UNPARSABLE),
    ],
)
def test_an_answer_names_a_label_or_none(prediction: str, expected: str) -> None:
    assert parse_label(prediction, LABELS) == expected


@given(st.text(max_size=40))
def test_every_answer_is_a_label_or_unparsable(prediction: str) -> None:
    assert parse_label(prediction, LABELS) in {*LABELS, UNPARSABLE}
    assert parse_label(prediction, ()) == UNPARSABLE


def answered(*pairs: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["label", "predicted_label"], dtype="str")


def test_report_by_hand() -> None:
    rows = answered(
        ("asset", "asset"),
        ("asset", "asset"),
        ("asset", UNPARSABLE),
        ("liability", "asset"),
        ("yes", "yes"),
        ("", ""),
        ("yes", "no"),
    )
    report = classification_report(rows)
    assert report is not None
    assert report["rows"] == 6
    assert report["accuracy"] == pytest.approx(3 / 6)
    assert report["labels"] == ["asset", "liability", "no", "yes", UNPARSABLE]
    assert report["confusion"] == [
        [2, 0, 0, 0, 1],
        [1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ]
    assert report["by_label"]["asset"] == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "meant": 3,
    }
    # Nobody said liability and nobody meant no: nothing to divide by is no zero.
    assert report["by_label"]["liability"] == {"precision": None, "recall": 0, "f1": 0, "meant": 1}
    assert report["by_label"]["no"] == {"precision": 0, "recall": None, "f1": None, "meant": 0}
    assert report["macro_f1"] == pytest.approx((2 / 3 + 0 + 2 / 3) / 3)


def test_no_label_asked_is_no_report() -> None:
    assert classification_report(answered(("", ""))) is None
    assert label_statistics(answered(("", ""))).tolist() == [[0, 0]]


@given(
    st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, UNPARSABLE])), min_size=1)
)
def test_macro_f1_from_sums_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    sums = label_statistics(answered(*pairs)).sum(axis=0)
    meant, said = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    expected = f1_score(meant, said, labels=sorted(set(meant)), average="macro", zero_division=0)
    assert float(macro_f1(sums)) == pytest.approx(expected)


def test_macro_f1_leaves_out_labels_that_a_resample_has_not() -> None:
    sums = np.array([[2, 3, 2, 2, 3, 0, 1, 0], [2, 2, 2, 2, 2, 0, 0, 0]], dtype=float)
    assert macro_f1(sums) == pytest.approx([(2 * 2 / 5 + 0) / 2, 1])
