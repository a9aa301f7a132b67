import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kd_kedro.curation.relevance import (
    Reviewed,
    Settings,
    best_threshold,
    centre_distance,
    choose_mode,
    cluster_outlierness,
    cross_fit,
    fold_of_blocks,
    judge_relevance,
    robust_threshold,
)


def make_rows(inside: int, outside: int, seed: int = 0):
    """Return pairs around one direction, then around others, and which are the others."""
    rng = np.random.default_rng(seed)
    centre, far = np.zeros((2, 16)), rng.normal(size=(2, 16))
    centre[:, 0] = far[:, 0] = 1
    rows = np.concatenate([np.tile(centre, (inside, 1, 1)), np.tile(far, (outside, 1, 1))])
    rows = rows + rng.normal(scale=0.15, size=rows.shape)
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    return rows.astype(np.float32), np.arange(len(rows)) >= inside


def shuffled(inside: int, outside: int):
    pairs, outlying = make_rows(inside, outside)
    order = np.random.default_rng(1).permutation(len(pairs))
    return pairs[order], outlying[order]


NOBODY = Reviewed(np.zeros((0, 2, 16), dtype=np.float32), np.zeros(0, dtype=bool))


def test_best_threshold_maximises_f1():
    # Above 0.5: 2 of 2 rejected, F1 = 2·2/(2+3) = 0.8; above 0.25: 3 of 4, F1 = 6/7.
    scores = np.array([0.9, 0.6, 0.4, 0.3, 0.2])
    assert best_threshold(scores, np.array([1, 1, 0, 1, 0], dtype=bool)) == pytest.approx(0.25)
    assert best_threshold(scores, np.zeros(5, dtype=bool)) == np.inf
    # Rows of one score stand or fall together.
    assert best_threshold(np.array([0.5, 0.5, 0.1]), np.array([1, 0, 0], dtype=bool)) == 0.3


def test_robust_threshold_does_not_move_with_outliers():
    core = np.random.default_rng(0).normal(0.3, 0.05, 4000)
    alone = robust_threshold(core, 2.5)
    joined = robust_threshold(np.concatenate([core, np.full(600, 0.9)]), 2.5)
    assert alone == pytest.approx(0.3 + 2.5 * 0.05, abs=0.02)
    assert joined == pytest.approx(alone, abs=0.02)
    assert robust_threshold(np.full(5, 0.1), 2.5) == pytest.approx(0.1)


def test_centre_ignores_outliers():
    pairs, outlying = make_rows(80, 15)
    distance = centre_distance(pairs, trim=0.8)
    assert distance[~outlying].max() < distance[outlying].min()


def test_folds_are_contiguous_blocks_and_all_used_in_short_sheets():
    assert_array_equal(fold_of_blocks(1300, Settings())[[0, 129, 130, 1299]], [0, 0, 1, 4])
    assert_array_equal(fold_of_blocks(4000, Settings())[[0, 199, 200, 1000]], [0, 0, 1, 0])
    assert set(fold_of_blocks(7, Settings())) == {0, 1, 2, 3, 4}


def test_no_row_is_judged_by_a_model_that_saw_it():
    pairs, rejected = shuffled(150, 50)
    settings = Settings(folds=4)
    before = cross_fit(Reviewed(pairs, rejected), settings)
    fold = fold_of_blocks(len(pairs), settings)
    # Whatever the verdicts of a fold are, its own scores and thresholds stay the same.
    turned = np.where(fold == 2, ~rejected, rejected)
    after = cross_fit(Reviewed(pairs, turned), settings)
    assert_array_equal(before.scores[fold == 2], after.scores[fold == 2])
    assert_array_equal(before.thresholds[fold == 2], after.thresholds[fold == 2])
    assert not np.array_equal(before.scores[fold == 1], after.scores[fold == 1])


def test_reviewer_mode_learns_the_verdicts_and_judges_new_rows():
    pairs, rejected = shuffled(200, 80)
    new, outlying = make_rows(40, 10)
    seen = np.full(50, -1)
    judged = judge_relevance(new, Reviewed(pairs, rejected), seen, Settings())
    assert judged.mode == "reviewer"
    assert_array_equal(judged.outlying, outlying)


def test_reviewed_rows_get_the_score_of_cross_fitting():
    pairs, rejected = shuffled(200, 80)
    reviewed = Reviewed(pairs, rejected)
    seen = np.array([7, -1, 3])
    judged = judge_relevance(pairs[[7, 5, 3]], reviewed, seen, Settings())
    fair = cross_fit(reviewed, Settings())
    assert_array_equal(judged.scores[[0, 2]], fair.scores[[7, 3]])
    assert_array_equal(judged.thresholds[[0, 2]], fair.thresholds[[7, 3]])


def test_cold_start_needs_no_verdicts():
    pairs, outlying = shuffled(200, 20)
    judged = judge_relevance(pairs, NOBODY, np.full(220, -1), Settings())
    assert judged.mode == "cold_start"
    assert judged.outlying[outlying].all()
    assert judged.outlying[~outlying].mean() < 0.1


def test_hdbscan_mode_scores_by_density():
    pairs, _ = make_rows(60, 0)
    pairs[0] = -pairs[0]
    scores = cluster_outlierness(pairs, 6)
    assert scores.shape == (60,)
    assert scores[0] == scores.max()
    assert_array_equal(cluster_outlierness(pairs[:3], 6), np.zeros(3))


def test_auto_depends_on_the_verdicts():
    few, many = np.arange(60) < 3, np.arange(120) < 60
    assert choose_mode(few, Settings()) == "cold_start"
    assert choose_mode(many, Settings()) == "reviewer"
    with pytest.raises(ValueError, match=r"filtering\.soap\.mode is reviewer"):
        choose_mode(np.ones(9, dtype=bool), Settings(mode="reviewer"))


def test_a_cap_on_training_rows_keeps_the_verdict():
    pairs, rejected = shuffled(400, 160)
    new, outlying = make_rows(40, 10)
    settings = Settings(max_training_rows=100)
    judged = judge_relevance(new, Reviewed(pairs, rejected), np.full(50, -1), settings)
    assert (judged.outlying == outlying).mean() > 0.95
