"""Integers in as few bits as they need come back as they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.training.teacher.packed_bits import bits_of, id_bits, integers, pack, unpack


@pytest.mark.parametrize(
    ("vocabulary", "bits"),
    [(2, 1), (2_000, 11), (2_048, 11), (2_049, 12), (50_257, 16), (65_537, 17), (262_144, 18)],
)
def test_an_id_takes_the_bits_of_the_largest(vocabulary, bits):
    assert id_bits(vocabulary) == bits


def test_bits_by_hand():
    # 5 = 101, 1 = 001 and 6 = 110, the lowest bit first: 10110001 1, so 0b10001101 and 0b1.
    packed = pack(np.array([5, 1, 6]), 3)
    assert packed.tolist() == [0b10001101, 0b1]
    assert unpack(packed, 2, 3).tolist() == [5, 1]
    assert bits_of([(packed, 6, 9), (packed, 0, 3)]).tolist() == [0, 1, 1, 1, 0, 1]


def test_each_run_begins_with_a_byte():
    ids = np.array([[100_000, 3], [65_536, 131_071]])
    packed = pack(ids, 17)
    assert packed.shape == (2, 5)  # 34 bits: less than the 8 bytes of two int32
    assert np.array_equal(unpack(packed, 2, 17), ids)


@given(st.integers(1, 32), st.data())
def test_runs_of_many_places_come_back_in_their_order(bits, data):
    numbers = st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=40)
    lists = data.draw(st.lists(numbers, min_size=1, max_size=4))
    runs, expected = [], []
    for values in lists:
        first = data.draw(st.integers(0, len(values)))
        end = data.draw(st.integers(first, len(values)))
        runs.append((pack(np.array(values), bits), bits * first, bits * end))
        expected += values[first:end]
    assert integers(bits_of(runs), bits).tolist() == expected
