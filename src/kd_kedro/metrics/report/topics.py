"""Topics of questions, found by their embeddings and named by their words."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kd_kedro.text.words import word_pattern


def cluster_topics(
    questions: Sequence[str], vectors: NDArray[np.float32], *, clusters: int, seed: int
) -> list[str]:
    """Return the topic of each question: its cluster's three most telling words.

    K-means over unit vectors. A word tells a cluster where its questions have it more often than
    all questions do (class-based tf-idf, Grootendorst 2022, arXiv:2203.05794).

    Args:
        questions: n texts.
        vectors: (n, d) unit vectors.
        clusters: Topics at most; never more than a tenth of the questions.
        seed: Seed of the starting centres.
    """
    from sklearn.cluster import KMeans

    count = max(1, min(clusters, len(questions) // 10))
    labels = KMeans(count, n_init=4, random_state=seed).fit_predict(vectors)
    words = [Counter(set(_telling_words(text))) for text in questions]
    everywhere: Counter[str] = sum(words, Counter())
    named: dict[int, str] = {}
    for label in range(count):
        inside: Counter[str] = sum(
            (own for own, where in zip(words, labels, strict=True) if where == label), Counter()
        )
        size = max(1, int((labels == label).sum()))
        telling = sorted(
            inside,
            key=lambda word: (
                -inside[word] / size * np.log(1 + len(questions) / everywhere[word]),
                word,
            ),
        )
        name = ", ".join(telling[:3]) or f"topic {label + 1}"
        named[label] = f"{name} ({label + 1})" if name in named.values() else name
    return [named[int(label)] for label in labels]


def _telling_words(text: str) -> list[str]:
    """Return the words of a text that can name a topic: of three letters, or one East Asian."""
    found = word_pattern().findall(text.casefold())
    names = [word for word in found if not any(map(str.isdigit, word))]
    return [word for word in names if len(word) > 2 or word >= "\u3400"]
