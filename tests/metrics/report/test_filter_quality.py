"""Precision and recall of the curation steps, counted by hand on small tables."""

from collections.abc import Mapping, Sequence

import pandas as pd
import pytest

from kd_kedro.metrics.report.filter_quality import (
    COLUMNS,
    measure_against_reviewers,
    measure_filters,
)

_EMPTY = pd.DataFrame(columns=["row_id", "question", "answer"], dtype="str")


def truth(*records: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        records, columns=["row_id", "defects", "expected", "group"], dtype="str"
    ).assign(line="1", topic="t", template="t", gradable="no")


def events(stage: str, actions: Mapping[str, str], reason: str = "") -> pd.DataFrame:
    return pd.DataFrame(
        [(row, stage, action, reason) for row, action in actions.items()],
        columns=["row_id", "stage", "action", "reason"],
        dtype="str",
    ).assign(evidence="")


def texts(cells: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    rows = [(row, question, answer) for row, (question, answer) in cells.items()]
    return pd.DataFrame(rows, columns=["row_id", "question", "answer"], dtype="str")


def counts(
    table: pd.DataFrame, logs: Sequence[pd.DataFrame], defect: str, **stages: pd.DataFrame
) -> list[str]:
    names = ("reviewed_qa", "cleaned_qa", "fitb_rephrased", "converted_mcq")
    measured = measure_filters(
        table,
        pd.concat(logs, ignore_index=True),
        {name: stages.get(name, _EMPTY) for name in names},
    )
    row = measured[measured["defect"] == defect].iloc[0]
    return list(row[["true_positive", "false_positive", "false_negative", "rows"]])


def test_removal_is_counted_by_row() -> None:
    known = truth(("a", "off_topic", "", ""), ("b", "off_topic", "", ""), ("c", "", "", ""))
    log = events("soap", {"a": "dropped", "b": "kept", "c": "dropped"})
    assert counts(known, [log], "off_topic") == ["1", "1", "1", "2"]


def test_a_row_that_did_not_reach_a_step_is_not_missed_by_it() -> None:
    known = truth(("a", "off_topic;reviewer_reject", "", ""), ("b", "off_topic", "", ""))
    logs = [
        events("review", {"a": "dropped", "b": "kept"}),
        events("soap", {"b": "dropped"}),
    ]
    assert counts(known, logs, "off_topic") == ["1", "0", "0", "1"]


def test_a_wrong_option_is_both_wrong_and_missed() -> None:
    known = truth(("a", "mcq", "Asset", ""), ("b", "mcq", "Loss", ""), ("c", "mcq", "x", ""))
    log = events("mcq", {"a": "changed", "b": "changed", "c": "quarantined"})
    after = texts({"a": ("q", "asset."), "b": ("q", "Profit")})
    assert counts(known, [log], "mcq", converted_mcq=after) == ["1", "1", "2", "3"]


def test_repair_is_right_where_the_text_is_the_expected_one() -> None:
    known = truth(
        ("a", "mojibake", "café ₹5", ""), ("b", "mojibake", "don’t", ""), ("c", "", "", "")
    )
    log = events("cleaning", {"a": "changed", "b": "kept", "c": "changed"})
    before = texts({"a": ("q", "cafÃ© â‚¹5"), "b": ("q", "donâ€™t"), "c": ("q", "1 + 2 = 3")})
    after = texts({"a": ("q", "café  ₹5"), "b": ("q", "donâ€™t"), "c": ("q", "1  2  3")})
    assert counts(known, [log], "mojibake", reviewed_qa=before, cleaned_qa=after) == [
        "1",
        "1",  # the sound row lost its operators
        "1",
        "2",
    ]


def test_a_damaged_multiple_choice_row_is_not_judged_as_a_repair() -> None:
    known = truth(("a", "mojibake;mcq", "£700", ""), ("b", "mojibake", "é", ""))
    log = events("cleaning", {"a": "changed", "b": "changed"})
    before = texts({"a": ("q 1. Â£700", "1"), "b": ("q", "Ã©")})
    after = texts({"a": ("q 1. £700", "1"), "b": ("q", "é")})
    assert counts(known, [log], "mojibake", reviewed_qa=before, cleaned_qa=after) == [
        "1",
        "0",
        "0",
        "1",
    ]


def test_a_blank_is_opened_where_no_blank_is_left_and_the_filling_stands_in_the_answer() -> None:
    known = truth(
        ("a", "fitb", "Cash; Bank", ""),
        ("b", "fitb", "Cash", ""),
        ("c", "fitb", "Cash", ""),
        ("d", "fitb", "Cash", ""),
        ("e", "", "", ""),
    )
    log = events("fitb", dict.fromkeys("abc", "changed") | {"d": "kept", "e": "changed"})
    after = texts(
        {
            "a": ("which accounts?", "The cash account and the Bank account."),
            "b": ("the ____ account?", "Cash"),
            "c": ("which account?", "Bank"),
            "d": ("the ____ account", "Cash"),
            "e": ("what?", "x"),
        }
    )
    assert counts(known, [log], "fitb", fitb_rephrased=after) == ["1", "3", "3", "4"]


def test_signs_survive_or_do_not() -> None:
    known = truth(("a", "formula", "", ""), ("b", "formula", "", ""))
    log = events("cleaning", {"a": "changed", "b": "changed"})
    before = texts({"a": ("q", " (240 / 2) = 120"), "b": ("q", "5 % of ₹8")})
    after = texts({"a": ("q", "(240 / 2) = 120"), "b": ("q", "5 of 8")})
    assert counts(known, [log], "formula", reviewed_qa=before, cleaned_qa=after) == [
        "1",
        "0",
        "1",
        "2",
    ]


def test_duplicates_are_right_whichever_copy_survives() -> None:
    known = truth(
        ("a", "", "", "g1"),
        ("b", "exact_duplicate", "", "g1"),
        ("c", "", "", "g2"),
        ("d", "exact_duplicate", "", "g2"),
        ("e", "", "", "g3"),
        ("f", "exact_duplicate", "", "g3"),
    )
    kept = dict.fromkeys("abcdef", "kept")
    log = events("deduplication", kept | {"b": "dropped", "c": "dropped"})
    # g1: the copy went. g2: the first went and its copy stayed: just as right. g3: missed.
    assert counts(known, [log], "exact_duplicate") == ["2", "0", "1", "3"]


def test_a_merge_of_strangers_is_wrong() -> None:
    known = truth(("a", "", "", ""), ("b", "decoy", "", "g1"), ("c", "", "", "g1"))
    log = events(
        "deduplication", {"a": "dropped", "b": "dropped", "c": "kept"}, "near duplicate of z"
    )
    assert counts(known, [log], "near_duplicate") == ["0", "2", "0", "0"]
    assert counts(known, [log], "decoy") == ["0", "0", "1", "1"]


def test_contradiction_needs_its_partner_to_be_found() -> None:
    known = truth(
        ("a", "contradictory", "", "g1"),
        ("b", "contradictory", "", "g1"),
        ("c", "contradictory", "", "g2"),  # its partner was removed before
        ("d", "", "", ""),
    )
    log = events(
        "deduplication", {"a": "quarantined", "b": "kept", "c": "kept", "d": "quarantined"}
    )
    assert counts(known, [log], "contradictory") == ["1", "1", "1", "2"]


@pytest.mark.parametrize("known", [truth(), truth(("other", "mcq", "", ""))])
def test_without_a_truth_that_fits_the_table_is_empty(known: pd.DataFrame) -> None:
    measured = measure_filters(known, events("soap", {"a": "kept"}), {})
    assert list(measured.columns) == COLUMNS
    assert measured.empty


def test_the_relevance_filter_is_measured_where_persons_judged():
    validated = pd.DataFrame(
        [("a", "yes"), ("b", "Yes "), ("c", "no"), ("d", "no"), ("e", ""), ("f", "yes")],
        columns=["row_id", "verdict"],
    )
    reviewed = events("review", {"a": "kept", "b": "kept", "c": "dropped", "d": "dropped"})
    # The model would keep c and drop b; of e it is not sure.
    queue = pd.DataFrame({"row_id": ["c", "b", "e"]})
    measured = measure_against_reviewers(validated, queue, reviewed)
    assert measured.to_numpy().tolist() == [
        ["soap", "reviewer_reject", "0.5000", "0.5000", "1", "1", "1", "2"]
    ]


def test_a_filter_that_is_off_is_not_compared_with_reviewers():
    validated = pd.DataFrame([("a", "yes"), ("b", "no")], columns=["row_id", "verdict"])
    queue = pd.DataFrame({"row_id": ["b"]})
    review = events("review", {"a": "kept", "b": "dropped"})

    def measured(mode: str) -> int:
        soap = events("soap", {"a": "kept"}).assign(evidence=f'{{"mode":"{mode}"}}')
        logs = pd.concat([review, soap], ignore_index=True)
        return len(measure_against_reviewers(validated, queue, logs))

    assert (measured("none"), measured("cold_start")) == (0, 1)


def test_without_a_rejected_row_there_is_nothing_to_measure_against():
    validated = pd.DataFrame([("a", "yes")], columns=["row_id", "verdict"])
    queue = pd.DataFrame({"row_id": ["a"]})
    assert measure_against_reviewers(validated, queue, events("review", {"a": "kept"})).empty
