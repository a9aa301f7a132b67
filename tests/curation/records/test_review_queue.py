import numpy as np
from numpy.testing import assert_array_equal

from kd_kedro.curation.records.review_queue import (
    farthest_from_threshold,
    nearest_threshold,
    spread_out,
    verdict_by_question,
)

MARGINS = np.array([0.5, -0.1, 0.2, -0.6, 0.05])


def test_rows_near_and_far_from_the_threshold():
    some = np.array([True, True, False, True, True])
    assert_array_equal(nearest_threshold(MARGINS, some, 0.5), [4, 1])
    assert_array_equal(nearest_threshold(MARGINS, some, 0.3), [4, 1])  # rounded up
    assert_array_equal(nearest_threshold(MARGINS, some, 0.0), [])
    assert_array_equal(farthest_from_threshold(MARGINS, some), [3, 0, 1, 4])


def test_rows_alike_wait_for_all_others():
    same, other = np.array([[1, 0], [1, 0]]), np.array([[0, 1], [0, 1]])
    pairs = np.stack([same, same, other, other, same]).astype(np.float32)
    assert_array_equal(spread_out(np.array([1, 0, 2, 3, 4]), pairs), [1, 2, 0, 3, 4])
    assert_array_equal(spread_out(np.array([1, 0, 2]), pairs, most=1), [1, 0, 2])
    assert_array_equal(spread_out(np.array([], dtype=np.int64), pairs), [])


def test_persons_who_differ_settle_nothing():
    questions = ["a", "a", "b", "b", "c"]
    reviewed = np.array([True, True, True, True, False])
    rejected = np.array([True, True, True, False, True])
    assert verdict_by_question(questions, reviewed, rejected) == {"a": True}
