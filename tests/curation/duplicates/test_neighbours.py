import numpy as np
import pytest

from kd_kedro.curation.duplicates.neighbours import NEIGHBOURS, near_pairs, nearest_others


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


def test_rows_that_ask_find_the_pairs_they_are_in():
    rng = np.random.default_rng(2)
    vectors = unit(rng.normal(size=(300, 8)))
    keys = rng.integers(0, 4, 300).tolist()
    found = near_pairs(vectors, keys, 0.8, askers=range(40))
    assert {pair[:2] for pair in found} == {
        pair for pair in every_pair(vectors, keys, 0.8) if pair[0] < 40
    }
    assert not near_pairs(vectors, keys, 0.8, askers=[])


def nearest_of_all(
    asking: np.ndarray, asking_groups: np.ndarray, vectors: np.ndarray, groups: np.ndarray
) -> dict[int, list[int]]:
    """Return the three nearest rows of other groups above 0.7, each compared with each."""
    cosine = asking @ vectors.T
    cosine[asking_groups[:, None] == groups] = -1.0
    ranked = np.argsort(-cosine, axis=1)[:, :3]
    rows = {n: [r for r in row if cosine[n, r] > 0.7] for n, row in enumerate(ranked.tolist())}
    return {n: near for n, near in rows.items() if near}


@pytest.mark.parametrize(("exhaustive_rows", "recall"), [(2000, 1.0), (100, 0.99)])
def test_the_nearest_of_other_groups_are_found(exhaustive_rows, recall):
    rng = np.random.default_rng(3)
    centres = np.repeat(rng.normal(size=(500, 32)), 3, axis=0)
    vectors = unit(centres + 0.25 * rng.normal(size=(1500, 32)))
    asking = unit(vectors[:600] + 0.05 * rng.normal(size=(600, 32)))
    groups = np.arange(1500) // 2
    floors = np.full(600, 0.7, dtype=np.float32)
    found = nearest_others(asking, groups[:600], floors, vectors, groups, 3, exhaustive_rows)
    exact = nearest_of_all(asking, groups[:600], vectors, groups)
    assert len(exact) > 300
    nearest = {n: near[0][0] for n, near in found.items()}
    assert np.mean([nearest.get(n) == rows[0] for n, rows in exact.items()]) >= recall
    if exhaustive_rows >= len(vectors):
        assert {n: [row for row, _ in near] for n, near in found.items()} == exact
    for place, near in found.items():
        assert [cosine for _, cosine in near] == pytest.approx(
            [float(asking[place] @ vectors[row]) for row, _ in near], abs=1e-6
        )


def test_few_vectors_are_compared_with_all_rows():
    rng = np.random.default_rng(4)
    vectors, groups = unit(rng.normal(size=(2000, 16))), np.arange(2000)
    floors = np.full(4, 0.7, dtype=np.float32)
    few = nearest_others(vectors[:4], groups[:4], floors, vectors, groups, 3, exhaustive_rows=100)
    assert {n: [row for row, _ in near] for n, near in few.items()} == nearest_of_all(
        vectors[:4], groups[:4], vectors, groups
    )
