"""Meaning: cosines and BERTScore by hand, and over a real embedder."""

import numpy as np
import pytest

from kd_kedro.datasets.sentence_embedder import SentenceEmbedder, SentenceEmbedderDataset
from kd_kedro.metrics.scores.semantic import bertscore_f1, compare_meanings, cosines


@pytest.fixture(scope="module")
def embedder() -> SentenceEmbedder:
    return SentenceEmbedderDataset(precision="float32").load()


def test_cosines_by_hand() -> None:
    first = np.array([[1, 0], [0.6, 0.8], [1, 0]], dtype=np.float32)
    second = np.array([[1, 0], [0.8, 0.6], [-1, 0]], dtype=np.float32)
    assert cosines(first, second) == pytest.approx([1, 0.96, -1])


def test_bertscore_by_hand() -> None:
    """Two tokens against one; the special tokens at the ends are not counted."""
    special, east, north = [0, 0, 1], [1, 0, 0], [0, 1, 0]
    prediction = np.array([special, east, north, special], dtype=np.float32)
    reference = np.array([special, [0.6, 0.8, 0], special], dtype=np.float32)
    precision, recall = (0.6 + 0.8) / 2, 0.8
    expected = 2 * precision * recall / (precision + recall)
    assert bertscore_f1(prediction, reference) == pytest.approx(expected)
    assert bertscore_f1(prediction[[0, 3]], reference) == 0


def test_the_same_text_is_likest_and_an_empty_one_like_none(
    embedder: SentenceEmbedder,
) -> None:
    references = ["Debit rent, credit cash.", "Goodwill is an asset.", "Cash", "", "资产"]
    predictions = ["Debit rent, credit cash.", "Bananas are yellow.", "", "", "资产"]
    similar, f1 = compare_meanings(embedder, predictions, references)
    assert [similar[0], similar[4], f1[0], f1[4]] == pytest.approx([1] * 4, abs=1e-5)
    assert similar[1] < 0.5
    assert f1[1] < 0.7
    assert list(similar[2:4]) == list(f1[2:4]) == [0, 0]


def test_pairs_are_scored_one_by_one_whatever_their_number(embedder: SentenceEmbedder) -> None:
    references = [
        f"The answer to {number % 7} is {'long ' * (number % 5)}." for number in range(300)
    ]
    predictions = references[::-1]
    _, together = compare_meanings(embedder, predictions, references)
    chosen = [0, 57, 299]
    alone = [compare_meanings(embedder, [predictions[i]], [references[i]])[1][0] for i in chosen]
    assert together[chosen] == pytest.approx(alone, abs=1e-4)


def test_nothing_to_compare_is_nothing(embedder: SentenceEmbedder) -> None:
    assert [len(each) for each in compare_meanings(embedder, [], [])] == [0, 0]
