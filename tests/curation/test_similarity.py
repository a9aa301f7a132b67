import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.similarity import Pair, names_agree, near_pairs, signature, unite


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rent paid Rs 500", "Rent paid Rs 600"),
        ("What is a 5% discount on 100?", "What is a 10% discount on 50?"),
        ("Which item is recorded?", "Which item is not recorded?"),
        ("Which account is debited?", "Which account is credited?"),
        ("Find 100 + 20", "Find 100 - 20"),
        ("What is shown before closing?", "What is shown after closing?"),
        ("Is 5 kg enough?", "Is 5 km enough?"),
        # MiniLM gives these pairs a cosine of 1: it does not know the words.
        ("ค่าเสื่อมราคาคืออะไร", "ค่าความนิยมคืออะไร"),
        ("什么是折旧?", "什么是商誉?"),
        ("什么是 GAAP 折旧?", "什么是 GAAP 商誉?"),
    ],
)
def test_signatures_differ_where_meaning_does(one, other):
    assert signature(one) != signature(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rent of Rs 12,500 was paid.", "Paid rent: Rs 12500"),
        ("Which item isn't recorded?", "Which item is not recorded?"),
        ("What is goodwill?", "Define the term goodwill."),
        ("Khấu hao là gì?", "Thế nào là khấu hao?"),
        ("Was ist β?", "Wie heißt β?"),
    ],
)
def test_signatures_agree_where_only_wording_differs(one, other):
    assert signature(one) == signature(other)


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("Rahul paid rent.", "Mohan paid rent.", False),
        ("Goods sold to Rahul.", "Goods sold to Mohan.", False),
        ("What is GST?", "What is VAT?", False),
        ("Rahul paid rent.", "Rent was paid by Rahul.", True),
        ("Depreciation is what?", "What is depreciation?", True),
        ("Define depreciation.", "What is depreciation?", True),
    ],
)
def test_names_must_stand_in_both(one, other, agree):
    assert names_agree(one, other) is agree
    assert names_agree(other, one) is agree


def test_near_pairs_are_those_of_equal_key_and_high_cosine_in_chunks():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    keys = rng.integers(0, 3, 300).tolist()
    cosine = vectors @ vectors.T
    expected = {
        (i, j)
        for i in range(300)
        for j in range(i + 1, 300)
        if keys[i] == keys[j] and cosine[i, j] >= 0.7
    }
    for chunk in (7, 64, 2048):
        found = near_pairs(vectors, keys, 0.7, chunk)
        assert {(pair.first, pair.second) for pair in found} == expected
        assert [p.similarity for p in found] == sorted((p.similarity for p in found), reverse=True)


def test_unite_closes_over_pairs():
    families = unite(5, [Pair(0, 3, 0.9), Pair(3, 4, 0.9)], lambda one, other: True)
    assert families == [[0, 3, 4], [1], [2]]


def test_unite_lets_no_chain_bring_together_what_disagrees():
    pairs = [Pair(0, 1, 0.99), Pair(1, 2, 0.98)]
    assert unite(3, pairs, lambda one, other: {one, other} != {0, 2}) == [[0, 1], [2]]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_unite_puts_every_row_in_one_family(links):
    pairs = [Pair(min(link), max(link), 1.0) for link in links if link[0] != link[1]]
    families = unite(10, pairs, lambda one, other: True)
    assert sorted(row for family in families for row in family) == list(range(10))


@given(st.text(), st.text())
def test_names_agree_with_themselves_and_both_ways(one, other):
    assert names_agree(one, one)
    assert names_agree(one, other) == names_agree(other, one)
    assert signature(one) == signature(one)
