"""Every metric of the table from rows by hand; what does not apply is zero, and says why."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from kd_kedro.metrics.scores.formatting import show, show_difference
from kd_kedro.metrics.scores.metric_table import METRICS, RESULT_COLUMNS

BY_NAME = {metric.name: metric for metric in METRICS}
Maker = Callable[..., pd.DataFrame]


@pytest.fixture
def rows() -> pd.DataFrame:
    """Two rows of one model; the second asks for no label and has no teacher of its tokens."""
    zeros = " 0" * 8
    shared = {"family_id": "f", "model": "student", "seed": "1", "question": "q"}
    first = {
        "row_id": "a",
        "reference": "₹ 5",
        "prediction": "₹ 5",
        "nll": repr(5 * math.log(2)),
        "answer_tokens": "3",
        "answer_bytes": "5",
        "agreeing_tokens": "2",
        "teacher_kl": "0.75",
        "accepted_tokens": "2.4",
        "brier": "0.6",
        "calibration_tokens": f"1 2{zeros}",
        "calibration_confidence": f"0.05 0.3{zeros}",
        "calibration_gaps": f"0.05 -0.7{zeros}",
        "gradable": "yes",
        "exact_match": "yes",
        "token_f1": "1.0",
        "rouge1": "1.0",
        "rouge2": "0.5",
        "rougeL": "1.0",
        "semantic_similarity": "0.9",
        "bertscore_f1": "0.8",
        "label": "asset",
        "predicted_label": "unparsable",
    }
    second = {
        "row_id": "b",
        "reference": "cashbook",
        "prediction": "",
        "nll": repr(13 * math.log(2)),
        "answer_tokens": "1",
        "answer_bytes": "3",  # cut after "cas"
        "brier": "1.0",
        "calibration_tokens": f"0 1{zeros}",
        "calibration_confidence": f"0 0.15{zeros}",
        "calibration_gaps": f"0 0.15{zeros}",
        "gradable": "no",
        "exact_match": "no",
        **dict.fromkeys(("token_f1", "rouge1", "rouge2", "rougeL"), "0.0"),
        "semantic_similarity": "-0.1",
        "bertscore_f1": "0.0",
    }
    table = pd.DataFrame([shared | first, shared | second], dtype="str")
    return table.reindex(columns=RESULT_COLUMNS).fillna("")


def score(name: str, rows: pd.DataFrame) -> float:
    metric = BY_NAME[name]
    return metric.shown(float(metric.score(metric.statistics(rows).sum(axis=0))))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("perplexity", 2 ** (18 / 4)),
        ("bits_per_byte", 18 / (5 + 3)),
        ("exact_match", 1.0),
        ("token_f1", 0.5),
        ("rouge1", 0.5),
        ("rouge2", 0.25),
        ("rougeL", 0.5),
        ("semantic_similarity", 0.4),
        ("bertscore_f1", 0.4),
        ("accuracy", 0.0),
        ("macro_f1", 0.0),
        ("teacher_agreement", 2 / 3),
        ("teacher_kl", 0.25),
        ("draft_acceptance", 2.4 / 3),
        ("ece", (0.05 + 0.55) / 4),
        ("brier", 1.6 / 4),
    ],
)
def test_scores_by_hand(rows: pd.DataFrame, name: str, expected: float) -> None:
    assert score(name, rows) == pytest.approx(expected)


def test_chrf_and_bleu_lie_between_nothing_and_all(rows: pd.DataFrame) -> None:
    assert 0 < score("chrf", rows) < 100
    assert score("bleu", rows.assign(prediction=rows["reference"])) == 0  # no text has four words


def test_a_row_that_does_not_count_is_zero_in_every_column(rows: pd.DataFrame) -> None:
    for name in ("teacher_agreement", "teacher_kl", "accuracy", "macro_f1", "exact_match"):
        statistics = BY_NAME[name].statistics(rows)
        assert statistics[0].any()
        assert not statistics[1].any()
    control = rows.assign(**dict.fromkeys(RESULT_COLUMNS[7:], ""))
    for metric in METRICS:
        if metric.name not in ("bleu", "chrf"):
            assert not metric.statistics(control).any(), metric.name


def test_what_is_not_finite_names_model_column_and_row(rows: pd.DataFrame) -> None:
    rows.loc[1, "calibration_gaps"] = " ".join(["nan"] * 10)
    with pytest.raises(
        ValueError, match="student of seed '1' has no finite calibration_gaps for row b"
    ):
        BY_NAME["ece"].statistics(rows)


def test_every_metric_has_title_signature_and_its_scores_in_bounds(results: Maker) -> None:
    table = results(families=12, seeds=1)
    teacher = table[table["model"] == "teacher"].reset_index(drop=True)
    for metric in METRICS:
        assert metric.signature()
        assert metric.title
        statistics = metric.statistics(teacher)
        assert statistics.shape[0] == len(teacher)
        assert np.isfinite(statistics).all()
        low, high = metric.bounds
        assert low <= metric.shown(float(metric.score(statistics.sum(axis=0)))) <= high


@pytest.mark.parametrize(
    ("name", "value", "shown", "difference"),
    [
        ("exact_match", 0.125, "12.5 %", "+12.5 points"),
        ("token_f1", 0.5, "50.0 %", "+50.0 points"),
        ("rougeL", 0.12345, "0.123", "+0.123"),
        ("teacher_kl", 1.5, "1.500", "+1.500"),
        ("chrf", 45.678, "45.7", "+45.68"),
        ("ece", 0.031, "3.1 %", "+3.1 points"),
    ],
)
def test_numbers_as_people_read_them(name: str, value: float, shown: str, difference: str) -> None:
    assert show(name, value) == shown
    assert show_difference(name, value) == difference
