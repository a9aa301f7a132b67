import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kd_kedro.curation.relevance.domain_distance import (
    centre_distance,
    clipped_threshold,
    cluster_outlierness,
)
from kd_kedro.curation.relevance.kernel_ridge import fold_of_blocks, out_of_fold_scores
from kd_kedro.curation.relevance.relevance_config import SoapConfig
from kd_kedro.curation.relevance.sheet_order import stand_together, with_neighbours
from kd_kedro.curation.relevance.soap import best_threshold, choose_mode, judge_relevance
from kd_kedro.curation.relevance.stacking import stack


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


def verdicts_of(rejected, reviewed=True):
    """Return 1 and 0 where reviewed, -1 elsewhere."""
    return np.where(reviewed, rejected, -1).astype(np.int8)


def nobody(rows: int):
    return np.full(rows, -1, dtype=np.int8)


def test_best_threshold_maximises_f1():
    # Above 0.5: 2 of 2 rejected, F1 = 2·2/(2+3) = 0.8; above 0.25: 3 of 4, F1 = 6/7.
    scores = np.array([0.9, 0.6, 0.4, 0.3, 0.2])
    assert best_threshold(scores, np.array([1, 1, 0, 1, 0], dtype=bool)) == pytest.approx(0.25)
    assert best_threshold(scores, np.zeros(5, dtype=bool)) == np.inf
    # Rows of one score stand or fall together.
    assert best_threshold(np.array([0.5, 0.5, 0.1]), np.array([1, 0, 0], dtype=bool)) == 0.3


def test_clipped_threshold_by_hand():
    # Median 3; the 15.87th percentile lies 0.1587 · 4 = 0.6348 above 1: deviation 1.3652.
    alone = clipped_threshold(np.array([1.0, 2, 3, 4, 5]), 2.0)
    assert alone == pytest.approx(3 + 2 * 1.3652 * (1 + 1.49 / np.sqrt(5)))
    # 100 lies above what the six together would allow, so the five are judged alone.
    assert clipped_threshold(np.array([1.0, 2, 3, 4, 5, 100]), 2.0) == pytest.approx(alone)


def test_clipped_threshold_hardly_moves_with_outliers():
    core = np.random.default_rng(0).normal(0.3, 0.05, 4000)
    alone = clipped_threshold(core, 2.5)
    joined = clipped_threshold(np.concatenate([core, np.full(600, 0.9)]), 2.5)
    assert alone == pytest.approx(0.3 + 2.5 * 0.05, abs=0.02)
    assert joined == pytest.approx(alone, abs=0.02)
    same = np.full(5, 0.1)
    assert not (same > clipped_threshold(same, 2.5)).any()


def test_centre_ignores_outliers():
    pairs, outlying = make_rows(80, 15)
    distance = centre_distance(pairs, trim=0.8)
    assert distance[~outlying].max() < distance[outlying].min()


def test_folds_are_contiguous_blocks_and_all_used_in_short_sheets():
    def folds(rows):
        return fold_of_blocks(np.zeros(rows, dtype=np.int8), 5, 200)

    assert_array_equal(folds(1300)[[0, 129, 130, 1299]], [0, 0, 1, 4])
    assert_array_equal(folds(4000)[[0, 199, 200, 1000]], [0, 0, 1, 0])
    assert set(folds(7)) == {0, 1, 2, 3, 4}
    assert_array_equal(
        fold_of_blocks(np.array([0, -1, 1, -1], dtype=np.int8), 3, 1), [0, -1, 1, -1]
    )


@pytest.mark.parametrize("order", ["never", "always"])
def test_no_row_is_judged_by_a_model_that_saw_its_verdict(order):
    pairs, rejected = shuffled(150, 50)
    settings = SoapConfig(folds=4, order=order)
    verdicts = verdicts_of(rejected)
    before = judge_relevance(pairs, verdicts, settings)
    fold = fold_of_blocks(verdicts, 4, 200)
    # Whatever the verdicts of a fold are, its own scores and thresholds stay the same.
    turned = verdicts_of(np.where(fold == 2, ~rejected, rejected))
    after = judge_relevance(pairs, turned, settings)
    assert_array_equal(before.scores[fold == 2], after.scores[fold == 2])
    assert_array_equal(before.thresholds[fold == 2], after.thresholds[fold == 2])
    assert not np.array_equal(before.scores[fold == 1], after.scores[fold == 1])


def test_blind_scores_are_those_of_a_model_without_the_folds():
    pairs, rejected = shuffled(60, 20)
    verdicts = verdicts_of(rejected)
    fold = fold_of_blocks(verdicts, 3, 200)
    knobs = {"folds": 3, "width": 1.0, "ridge": 0.3, "max_training_rows": 1000}
    held_out = out_of_fold_scores(pairs, verdicts, fold, **knobs)
    # Rows of folds 0 and 1 as the model of fold 2 alone sees them.
    only = np.where(fold == 2, verdicts, -1).astype(np.int8)
    alone = out_of_fold_scores(pairs, only, np.where(fold == 2, 2, -1), **knobs)
    for own, hidden in ((0, 1), (1, 0)):
        rows = fold == own
        for ours, theirs in (
            (held_out.estimate, alone.estimate),
            (held_out.novelty, alone.novelty),
        ):
            assert_allclose(ours[hidden, rows], theirs[0, rows], rtol=1e-4, atol=1e-5)


def test_novelty_is_the_kernel_to_the_nearest_accepted_rows():
    pairs, rejected = shuffled(60, 20)
    verdicts = np.append(verdicts_of(rejected), np.int8(-1))
    pairs = np.append(pairs, pairs[:1], axis=0)
    fold = fold_of_blocks(verdicts, 3, 200)
    held_out = out_of_fold_scores(
        pairs, verdicts, fold, folds=3, width=1.0, ridge=0.3, max_training_rows=99
    )
    others = pairs[:-1][(fold[:-1] != 1) & ~rejected]
    kernel = np.exp(-((pairs[-1] - others) ** 2).sum(axis=2)).mean(axis=1)
    assert held_out.novelty[1, -1] == pytest.approx(1 - np.sort(kernel)[-5:].mean(), abs=1e-5)


def test_reviewer_mode_learns_the_verdicts_and_judges_new_rows():
    pairs, rejected = shuffled(200, 80)
    new, outlying = make_rows(40, 10)
    both = np.concatenate([pairs, new])
    verdicts = np.concatenate([verdicts_of(rejected), nobody(50)])
    judged = judge_relevance(both, verdicts, SoapConfig())
    assert judged.mode == "reviewer"
    assert ((judged.scores >= 0) & (judged.scores <= 1)).all()
    assert_array_equal(judged.outlying[280:], outlying)


def test_neighbourhoods_by_hand():
    # One row of three, width 1: weights e^0, e^-0.5, e^-2, scaled to 1 at the edge.
    near, far = np.exp(-0.5), np.exp(-2)
    views = with_neighbours(np.array([1.0, 0, 0, 5]), np.array([0, 0, 0, 1]), [1.0])
    assert_allclose(views[:, 0], [1, 0, 0, 5])
    expected = [1 / (1 + near + far), near / (1 + 2 * near), far / (1 + near + far), 5]
    assert_allclose(views[:, 1], expected)


def test_autocorrelation_tells_runs_from_strewn_rows():
    sheet = np.zeros(1000, dtype=np.int64)
    runs = (np.arange(1000) // 100) % 2 == 1
    strewn = np.random.default_rng(0).random(1000) < 0.3
    assert stand_together(runs, sheet) > 0.95
    assert abs(stand_together(strewn, sheet)) < 0.1
    assert stand_together(np.zeros(1000, dtype=bool), sheet) == 0
    # Rows of two sheets are no neighbours: within each, all rows or none are marked.
    assert stand_together(np.arange(4) > 1, np.array([0, 0, 1, 1])) == pytest.approx(1)
    assert stand_together(np.array([True]), sheet[:1]) == 0


def runs_with_noise(rows=600, noise=0.45, seed=0):
    """Return noisy pairs whose outliers stand in runs of 50, and which they are."""
    rng = np.random.default_rng(seed)
    outlying = (np.arange(rows) // 50) % 4 == 3
    centres = rng.normal(size=(2, 2, 16))
    centres /= np.linalg.norm(centres, axis=2, keepdims=True)
    pairs = centres[outlying.astype(int)] + rng.normal(scale=noise, size=(rows, 2, 16))
    return (pairs / np.linalg.norm(pairs, axis=2, keepdims=True)).astype(np.float32), outlying


DECIDES = {
    "min_rows": 0,
    "max_share": 1,
    "max_subject_share": 1,
    "max_cohesion": 100,
    "min_separation": 0,
}


@pytest.mark.parametrize("mode", ["reviewer", "cold_start"])
def test_neighbours_help_where_outliers_stand_together(mode):
    pairs, outlying = runs_with_noise()
    verdicts = verdicts_of(outlying) if mode == "reviewer" else nobody(len(pairs))
    alone = judge_relevance(pairs, verdicts, SoapConfig(mode=mode, order="never", **DECIDES))
    helped = judge_relevance(
        pairs, verdicts, SoapConfig(mode=mode, min_autocorrelation=0.2, **DECIDES)
    )
    assert helped.ordered
    assert not alone.ordered
    assert (helped.outlying == outlying).mean() > (alone.outlying == outlying).mean()
    mixed = np.random.default_rng(3).permutation(len(pairs))
    strewn = judge_relevance(pairs[mixed], verdicts[mixed], SoapConfig(mode=mode))
    assert not strewn.ordered


def test_few_verdicts_leave_the_weights_near_what_they_were():
    features = np.random.default_rng(0).normal(size=(400, 2))
    rejected = features[:, 0] > 0
    prior = np.array([1.0, 1.0])
    few, many = np.arange(400) < 8, np.ones(400, dtype=bool)

    def trusts_first(taught, strength):
        odds = stack(features, rejected, taught, prior, strength)
        odds = np.log(odds / (1 - odds))
        first, second, _ = np.linalg.lstsq(np.c_[features, np.ones(400)], odds, rcond=None)[0]
        return first / second

    assert trusts_first(few, 100.0) < 1.5
    assert trusts_first(many, 1.0) > 3


def test_cold_start_needs_no_verdicts():
    pairs, outlying = shuffled(200, 20)
    judged = judge_relevance(pairs, nobody(220), SoapConfig(**DECIDES))
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
    few, many = verdicts_of(np.arange(60) < 3), verdicts_of(np.arange(120) < 60)
    assert choose_mode(few, SoapConfig()) == "cold_start"
    assert choose_mode(many, SoapConfig()) == "reviewer"
    with pytest.raises(ValueError, match=r"filtering\.soap\.mode is reviewer"):
        choose_mode(verdicts_of(np.ones(9, dtype=bool)), SoapConfig(mode="reviewer"))


def test_a_cap_on_training_rows_keeps_the_verdict():
    pairs, rejected = shuffled(400, 160)
    judged = judge_relevance(pairs, verdicts_of(rejected), SoapConfig(max_training_rows=100))
    assert (judged.outlying == rejected).mean() > 0.95
