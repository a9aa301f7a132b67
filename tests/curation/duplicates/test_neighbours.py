import numpy as np
import pytest

from kd_kedro.curation.duplicates.neighbours import NEIGHBOURS, near_pairs


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def every_pair(vectors: np.ndarray, keys: list, threshold: float) -> set[tuple[int, int]]:
    cosine = vectors @ vectors.T
    return {
        (i, j)
        for i in range(len(keys))
        for j in range(i + 1, len(keys))
        if keys[i] == keys[j] is not None and cosine[i, j] >= threshold
    }


def test_near_pairs_are_those_of_equal_key_and_high_cosine():
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(300, 8)))
    keys = [None if key == 3 else key for key in rng.integers(0, 4, 300).tolist()]
    found = near_pairs(vectors, keys, 0.8)
    assert {(pair.first, pair.second) for pair in found} == every_pair(vectors, keys, 0.8)
    assert [p.similarity for p in found] == sorted((p.similarity for p in found), reverse=True)
    assert [p.similarity for p in found] == pytest.approx(
        [float(vectors[p.first] @ vectors[p.second]) for p in found], abs=1e-6
    )


def test_cells_find_nearly_all_and_the_same_each_time():
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(700, 32))
    vectors = unit(np.repeat(centres, 3, axis=0) + 0.25 * rng.normal(size=(2100, 32)))
    keys = [0] * len(vectors)
    exact = every_pair(vectors, keys, 0.9)
    found = near_pairs(vectors, keys, 0.9, exhaustive_rows=100)
    pairs = {(pair.first, pair.second) for pair in found}
    assert len(pairs) == len(found)
    assert pairs <= exact
    assert len(pairs) >= 0.99 * len(exact) > 1000
    assert found == near_pairs(vectors, keys, 0.9, exhaustive_rows=100)


def test_rows_that_are_all_alike_hang_together_without_a_pair_each():
    vectors = unit(np.ones((400, 4)))
    found = near_pairs(vectors, [0] * 400, 0.9)
    assert 399 <= len(found) <= 400 * NEIGHBOURS
    linked = {0}
    while more := {row for p in found for row in p[:2] if {p.first, p.second} & linked} - linked:
        linked |= more
    assert linked == set(range(400))


def test_no_rows_make_no_pairs():
    assert near_pairs(np.zeros((0, 4), np.float32), [], 0.9) == []
