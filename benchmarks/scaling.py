"""Rows by the hundred thousand, fabricated with their embeddings, for timing deduplication."""

import resource
import sys
import time
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.curation.duplicates.conflicts import find_duplicates
from kd_kedro.curation.duplicates.deduplication_config import Thresholds
from kd_kedro.curation.duplicates.near_questions import Nearness, asking_the_same, search_questions
from kd_kedro.curation.duplicates.neighbours import Vectors, near_pairs
from kd_kedro.curation.duplicates.signature import signature

THRESHOLDS = Thresholds(
    same_question_threshold=0.99,
    question_threshold=0.93,
    equal_answer_threshold=0.75,
    answer_threshold=0.9,
)
DIMENSIONS = 384
TOPICS = 300
SAMPLE = 2000  # rows whose neighbours are searched for among all
SEED = 0
_SYLLABLES = [head + vowel for head in "bcdfglmnprstv" for vowel in "aeiou"]


def measure_scale(rows: int) -> dict[str, Any]:
    """Return seconds and memory of deduplicating fabricated rows, in a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (rows,))


def _measure(rows: int) -> dict[str, Any]:
    table, questions, answers = fabricate(rows)
    start = time.perf_counter()
    near = asking_the_same(
        search_questions(
            table,
            questions,
            Nearness(THRESHOLDS.question_threshold, THRESHOLDS.equal_answer_threshold),
        ),
        table,
    )
    found = find_duplicates(table, near, questions, answers, THRESHOLDS)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    return {
        "rows": rows,
        "seconds": round(seconds, 2),
        # Of the whole process: rows, embeddings (2 x 4 x 384 bytes a row) and libraries included.
        "peak_gb": round(peak, 3),
        "recall_vs_exact": round(_recall(table, questions), 4),
        "merged": len(found.survivor),
        "set_aside": len(found.conflict),
    }


def fabricate(rows: int) -> tuple[pd.DataFrame, Vectors, Vectors]:
    """Return rows with the embeddings of their questions and answers.

    Two rows of three have a partner near by on average. The spectrum of the vectors falls as that
    of real embeddings does, and they share a direction. One row in three has a number, so that
    most have one signature, as in a real sheet.
    """
    rng = np.random.default_rng(SEED)
    spectrum = (np.arange(1, DIMENSIONS + 1) ** -0.5).astype(np.float32)
    families = max(1, rows // 2)
    topic = rng.integers(0, TOPICS, families)
    family = rng.integers(0, families, rows)
    words = np.array(
        ["".join(rng.choice(_SYLLABLES, 3)) for _ in range(4000)],
    )
    drawn = words[rng.integers(0, len(words), (families, 4))]
    figure = np.where(rng.random(families) < 0.33, rng.integers(2, 100_000, families), 0)
    wording = rng.integers(0, 3, rows)
    questions = [
        ("What is {} {} in {} {}", "Explain the {} {} of {} {}", "Define {} {} with {} {}")[
            wording[row]
        ].format(*drawn[family[row]])
        + (f" at {figure[family[row]]}" if figure[family[row]] else "")
        + "?"
        for row in range(rows)
    ]
    answers = [
        "It is the {} of {} and the {} of {}.".format(*drawn[family[row], ::-1])
        for row in range(rows)
    ]
    table = pd.DataFrame(
        {
            "row_id": [f"r{row}" for row in range(rows)],
            "question": questions,
            "answer": answers,
        }
    )
    vectors = [_vectors(rng, spectrum, topic, family, apart) for apart in (0.5, 0.3)]
    return table, vectors[0], vectors[1]


def _vectors(
    rng: np.random.Generator,
    spectrum: Vectors,
    topic: np.ndarray[Any, Any],
    family: np.ndarray[Any, Any],
    apart: float,
) -> Vectors:
    centres = rng.normal(size=(TOPICS, DIMENSIONS)).astype(np.float32) * spectrum
    shared = np.zeros(DIMENSIONS, dtype=np.float32)
    shared[0] = 1.5
    heads = rng.standard_normal((len(topic), DIMENSIONS), dtype=np.float32) * spectrum
    heads += 0.8 * centres[topic] + shared
    heads /= np.linalg.norm(heads, axis=1, keepdims=True)
    made = rng.standard_normal((len(family), DIMENSIONS), dtype=np.float32)
    made *= (rng.uniform(0.05, apart, len(family)) / DIMENSIONS**0.5).astype(np.float32)[:, None]
    made += heads[family]
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def _recall(table: pd.DataFrame, vectors: Vectors) -> float:
    """Return the share of a sample's near neighbours that the search in cells finds."""
    signatures = [signature(text) for text in table["question"]]
    pairs = near_pairs(vectors, signatures, THRESHOLDS.question_threshold)
    found = {(pair.first, pair.second) for pair in pairs}
    sample = np.random.default_rng(SEED).choice(len(table), min(SAMPLE, len(table)), replace=False)
    hits = total = 0
    for row in sample.tolist():
        near = np.flatnonzero(vectors @ vectors[row] >= THRESHOLDS.question_threshold)
        exact = {
            (min(row, other), max(row, other))
            for other in near.tolist()
            if other != row and signatures[other] == signatures[row]
        }
        hits, total = hits + len(exact & found), total + len(exact)
    return hits / total if total else float("nan")
