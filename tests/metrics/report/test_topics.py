"""Topics of questions whose vectors lie in plain heaps."""

import numpy as np

from kd_kedro.metrics.report.topics import cluster_topics


def test_heaps_become_topics_named_by_their_words() -> None:
    questions = [f"What is the depreciation of machine {n}?" for n in range(20)]
    questions += [f"What is the dividend of share {n}?" for n in range(20)]
    vectors = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    topics = cluster_topics(questions, vectors, clusters=2, seed=0)
    assert len(set(topics[:20])) == len(set(topics[20:])) == 1
    assert "depreciation" in topics[0]
    assert "dividend" in topics[-1]
    assert topics == cluster_topics(questions, vectors, clusters=2, seed=0)


def test_few_questions_are_one_topic() -> None:
    vectors = np.eye(3, dtype=np.float32)
    assert len(set(cluster_topics(["a?", "b?", "¿?"], vectors, clusters=8, seed=0))) == 1


def test_topics_of_the_same_words_have_names_of_their_own() -> None:
    vectors = np.repeat(np.eye(2, dtype=np.float32), 10, axis=0)
    assert len(set(cluster_topics(["same words here"] * 20, vectors, clusters=2, seed=0))) == 2
