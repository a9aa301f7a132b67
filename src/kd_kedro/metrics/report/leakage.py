"""Has a held-out row been seen in training? By its words, and by its meaning.

Word n-grams find copied text (Brown et al. 2020, appendix C, do so with n = 13; questions are
short, so a smaller n is the parameter here); embeddings find what was said in other words.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kd_kedro.metrics.scores.overlap import words

COLUMNS = [
    "row_id",
    "ngram_share",
    "cosine",
    "nearest_row_id",
    "nearest_question",
    "same_question",
    "same_answer",
]
_CHUNK = 1024  # held-out rows compared at once: bounds the memory at 1024 x train rows x 4 bytes


def measure_overlap(
    held_out: pd.DataFrame,
    train: pd.DataFrame,
    held_out_vectors: NDArray[np.float32],
    train_vectors: NDArray[np.float32],
    *,
    n: int,
) -> pd.DataFrame:
    """Return for every held-out row how near the train split comes to it.

    Args:
        held_out: `row_id, question, answer` of the rows that are judged.
        train: The same of every row that was trained on.
        held_out_vectors: (held-out rows, d) unit vectors of the questions.
        train_vectors: (train rows, d) unit vectors of the questions.
        n: Words of an n-gram; a shorter text counts as one n-gram.

    Returns:
        Table with `COLUMNS`, all text: the share of the question's n-grams that a train question
        has; the cosine of the nearest train question, its row and text; and whether that question
        or the answer is the same but for case and punctuation.
    """
    known = {gram for text in train["question"] for gram in _ngrams(text, n)}
    questions, answers = list(train["question"]), list(train["answer"])
    same = {_plain(text) for text in questions}
    nearest, cosines = _nearest(held_out_vectors, train_vectors)
    records = []
    for row, (row_id, question, answer) in enumerate(
        zip(held_out["row_id"], held_out["question"], held_out["answer"], strict=True)
    ):
        grams = _ngrams(question, n)
        near = int(nearest[row])
        records.append(
            (
                row_id,
                f"{len(grams & known) / len(grams):.4f}" if grams else "0.0000",
                f"{cosines[row]:.4f}",
                train["row_id"].iloc[near],
                questions[near],
                "yes" if _plain(question) in same else "no",
                "yes" if _plain(answers[near]) == _plain(answer) else "no",
            )
        )
    return pd.DataFrame(records, columns=COLUMNS, dtype="str")


def summarise_overlap(
    overlap: pd.DataFrame, *, ngram_share: float, cosine: float
) -> dict[str, float | int]:
    """Return how many held-out rows lie near the train split.

    Args:
        overlap: What `measure_overlap` returned.
        ngram_share: From this share of known n-grams on, a row is near by words.
        cosine: From this cosine on, a row is near by meaning.
    """
    shares, cosines = (overlap[name].to_numpy(dtype=float) for name in ("ngram_share", "cosine"))
    by_words, by_meaning = shares >= ngram_share, cosines >= cosine
    same_answer = (overlap["same_answer"] == "yes").to_numpy()
    return {
        "rows": len(overlap),
        "same_question": int((overlap["same_question"] == "yes").sum()),
        "near_by_words": int(by_words.sum()),
        "near_by_meaning": int(by_meaning.sum()),
        "near": int((by_words | by_meaning).sum()),
        "near_with_same_answer": int(((by_words | by_meaning) & same_answer).sum()),
        "median_ngram_share": float(np.median(shares)),
        "median_cosine": float(np.median(cosines)),
    }


def is_near(overlap: pd.DataFrame, *, ngram_share: float, cosine: float) -> dict[str, bool]:
    """Return by row_id whether `summarise_overlap` counts the row as near."""
    near = (overlap["ngram_share"].astype(float) >= ngram_share) | (
        overlap["cosine"].astype(float) >= cosine
    )
    return dict(zip(overlap["row_id"], map(bool, near), strict=True))


def cosine_histogram(overlap: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how many held-out rows have a nearest train question at each tenth of cosine.

    Args:
        overlap: What `measure_overlap` returned.

    Returns:
        Ten bins from 0 to 1, each `from` (its lower edge) and `rows`; a cosine below 0 counts as 0.
    """
    edges = np.linspace(0.0, 1.0, 11)
    cosines = np.clip(overlap["cosine"].to_numpy(dtype=float), 0.0, 1.0)
    counts, _ = np.histogram(cosines, bins=edges)
    return [
        {"from": round(float(low), 1), "rows": int(count)}
        for low, count in zip(edges[:-1], counts, strict=True)
    ]


def _nearest(
    queries: NDArray[np.float32], known: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    best: list[NDArray[np.int64]] = []
    values: list[NDArray[np.float32]] = []
    for start in range(0, len(queries), _CHUNK):
        cosines = queries[start : start + _CHUNK] @ known.T
        best.append(cosines.argmax(axis=1))
        values.append(cosines.max(axis=1))
    return np.concatenate(best), np.concatenate(values)


def _ngrams(text: str, n: int) -> set[tuple[str, ...]]:
    found = words(text)
    if not found:
        return set()
    return {tuple(found[start : start + n]) for start in range(max(1, len(found) - n + 1))}


def _plain(text: str) -> tuple[str, ...]:
    return tuple(words(text))
