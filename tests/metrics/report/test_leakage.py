"""How near the train split comes to a held-out row, on rows made by hand."""

import numpy as np
import pandas as pd

from kd_kedro.metrics.report.leakage import (
    cosine_histogram,
    is_near,
    measure_overlap,
    summarise_overlap,
)

TRAIN = pd.DataFrame(
    {
        "row_id": ["t1", "t2"],
        "question": ["What is the cost of goods sold?", "Name an asset."],
        "answer": ["Opening stock plus purchases.", "Cash."],
    }
)
HELD_OUT = pd.DataFrame(
    {
        "row_id": ["a", "b", "c", "d"],
        "question": [
            "what is the cost of goods sold",
            "What is the cost of debt?",
            "Explain depreciation briefly.",
            "!?",
        ],
        "answer": ["Another answer.", "Interest.", "Wear.", "cash"],
    }
)
TRAIN_VECTORS = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
VECTORS = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, -1.0], [0.6, 0.8]], dtype=np.float32)


def measured() -> pd.DataFrame:
    return measure_overlap(HELD_OUT, TRAIN, VECTORS, TRAIN_VECTORS, n=3)


def test_words_meaning_and_sameness() -> None:
    table = measured().set_index("row_id")
    # 7 words make 5 trigrams, all known; of "what is the cost of debt" 3 of 4 are.
    assert list(table["ngram_share"]) == ["1.0000", "0.7500", "0.0000", "0.0000"]
    assert list(table["cosine"]) == ["1.0000", "0.8000", "0.0000", "0.8000"]
    assert list(table["nearest_row_id"]) == ["t1", "t1", "t1", "t2"]
    assert list(table["same_question"]) == ["yes", "no", "no", "no"]
    assert list(table["same_answer"]) == ["no", "no", "no", "yes"]


def test_near_is_by_words_or_by_meaning() -> None:
    table = measured()
    bounds = {"ngram_share": 0.9, "cosine": 0.8}
    assert is_near(table, **bounds) == {"a": True, "b": True, "c": False, "d": True}
    assert summarise_overlap(table, **bounds) == {
        "rows": 4,
        "same_question": 1,
        "near_by_words": 1,
        "near_by_meaning": 3,
        "near": 3,
        "near_with_same_answer": 1,
        "median_ngram_share": 0.375,
        "median_cosine": float(np.float64(0.8)),
    }


def test_cosines_are_counted_by_tenths() -> None:
    bins = cosine_histogram(measured())
    assert [each["from"] for each in bins] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert [each["rows"] for each in bins] == [1, 0, 0, 0, 0, 0, 0, 0, 2, 1]


def test_a_script_without_spaces_has_ngrams_too() -> None:
    asked, seen = "什么是现金流量表？", "请问什么是现金流量？"
    held_out = HELD_OUT.head(1).assign(question=asked)
    train = TRAIN.head(1).assign(question=seen)
    table = measure_overlap(held_out, train, VECTORS[:1], TRAIN_VECTORS[:1], n=3)
    assert table["ngram_share"].tolist() == [f"{5 / 6:.4f}"]  # of 8 characters all but the last 3
