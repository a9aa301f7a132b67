import re

import numpy as np
import pytest

from kd_kedro.curation.relevance.abstention import (
    cohesion,
    largest_subject,
    reason_to_abstain,
    reason_to_distrust,
    separation,
)
from kd_kedro.curation.relevance.relevance_config import SoapConfig
from kd_kedro.curation.relevance.soap import judge_relevance

WIDTH = 24
LENIENT = {"max_share": 1, "max_subject_share": 1, "max_cohesion": 100}


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def subject(rows: int, rng, noise: float = 0.2):
    """Return pairs around one direction of their own."""
    centre = rng.normal(size=(1, 2, WIDTH))
    centre /= np.linalg.norm(centre, axis=-1, keepdims=True)
    return unit(centre + rng.normal(scale=noise, size=(rows, 2, WIDTH)))


def mixture(rows: int, rng):
    return unit(rng.normal(size=(rows, 2, WIDTH)) + 0.2)


def judge(*parts, **settings):
    pairs = np.concatenate(parts)
    unreviewed = np.full(len(pairs), -1, dtype=np.int8)
    return judge_relevance(pairs, unreviewed, SoapConfig(**settings))


def test_a_few_rows_of_many_subjects_are_removed():
    rng = np.random.default_rng(0)
    judged = judge(subject(520, rng), mixture(80, rng))
    assert judged.abstained == ""
    assert judged.outlying[520:].all()
    assert judged.outlying[:520].mean() < 0.05


@pytest.mark.parametrize(
    ("others", "settings", "why"),
    [
        ("mixture", {"min_rows": 601}, r"600 rows, and 601 are needed \(filtering.soap.min_rows\)"),
        ("mixture", {"max_share": 0.05}, r"more than 5% \(filtering.soap.max_share\)"),
        (
            "subject",
            {},
            r"of the far rows are of one subject.*\(filtering.soap.max_subject_share\)",
        ),
        ("mixture", {"max_cohesion": 0}, r"mean cosine .*\(filtering.soap.max_cohesion 0\)"),
        ("mixture", {"min_separation": 1.0}, r"no gap .*\(filtering.soap.min_separation\)"),
    ],
)
def test_it_abstains_and_says_why(others, settings, why):
    rng = np.random.default_rng(0)
    far = {"mixture": mixture, "subject": subject}[others](80, rng)
    judged = judge(subject(520, rng), far, **settings)
    assert not judged.outlying.any()
    assert re.search(why, judged.abstained)


def test_where_it_abstains_the_farthest_rows_are_nearest_to_the_threshold():
    rng = np.random.default_rng(0)
    judged = judge(subject(520, rng), mixture(80, rng), min_rows=601)
    assert set(np.argsort(-judged.margins)[:80]) == set(range(520, 600))
    assert judged.margins.max() == 0


def test_rows_that_shade_into_each_other_are_left():
    rng = np.random.default_rng(1)
    judged = judge(subject(400, rng, noise=0.3), spread=1.0, **LENIENT)
    assert not judged.outlying.any()
    assert "no gap" in judged.abstained


def test_nothing_far_is_no_reason():
    assert reason_to_abstain(np.zeros((3, 2, 4)), np.zeros(3, dtype=bool), SoapConfig()) == ""


# Rejected and accepted rows that would go, and that would stay; p by Fisher's formula:
# (36 + 1) / 924 = 4.0 %, (90 + 6) / 792 = 12.1 %.
@pytest.mark.parametrize(
    ("gone", "left", "why"),
    [
        ((5, 1), (1, 5), ""),
        (
            (4, 1),
            (2, 5),
            r"the filter finds 4 of 6 rejected ones, and wrongly 1 of 6 accepted ones "
            r"\(chance does as well in 12% of cases",
        ),
        # Most are rejected with probability (1 + 5 + 10 + 10) / 32, (1 + 6 + 15 + 20) / 64.
        ((3, 1), (0, 100), ""),
        (
            (3, 2),
            (0, 100),
            r"3 of 3 rejected .*2 of 102 accepted ones \(too many of the rows that it finds",
        ),
        ((20, 30), (0, 400), r"20 of 20 rejected .*\(too many"),
        ((0, 0), (6, 6), r"chance does as well in 100% of cases"),
    ],
)
def test_verdicts_count_where_they_tell_the_reviewed_rows_apart(gone, left, why):
    counts = [*gone, *left, 1]
    verdicts = np.repeat([1, 0, 1, 0, -1], counts).astype(np.int8)
    outlying = np.repeat([True, True, False, False, True], counts)
    said = reason_to_distrust(verdicts, outlying)
    assert re.search(why, said) if why else said == ""
    outlying[-1] = False
    assert reason_to_distrust(verdicts, outlying) == ""


@pytest.mark.parametrize("seed", range(4))
def test_verdicts_that_contradict_each_other_remove_no_unreviewed_row(seed):
    rng = np.random.default_rng(seed)
    pairs = np.concatenate([subject(240, rng), mixture(60, rng)])[rng.permutation(300)]
    verdicts = np.full(300, -1, dtype=np.int8)
    # Of each kind of row some were accepted and some rejected.
    verdicts[::25] = np.arange(12) % 2
    bold = judge_relevance(pairs, verdicts, SoapConfig())
    assert bold.mode == "reviewer"
    assert not bold.outlying[verdicts < 0].any()
    assert "contradict each other" in bold.abstained


def test_a_verdict_that_wins_keeps_its_threshold_where_the_filter_abstains():
    rng = np.random.default_rng(0)
    pairs = np.concatenate([subject(240, rng), mixture(60, rng)])[rng.permutation(300)]
    verdicts = np.full(300, -1, dtype=np.int8)
    verdicts[::25] = np.arange(12) % 2
    wins, loses = (
        judge_relevance(pairs, verdicts, SoapConfig(verdict_wins=wins)) for wins in (True, False)
    )
    assert wins.outlying[verdicts >= 0].any()
    assert not loses.outlying.any()


def test_cohesion_and_separation_by_hand():
    # Cosines 1, 0, 0.
    assert cohesion(np.array([[1, 0], [1, 0], [0, 1]], np.float32)) == pytest.approx(1 / 3)
    # Two groups at right angles, and one whose cosine to the first is 0.6.
    groups = np.array([[1, 0]] * 3 + [[0, 1]] * 2 + [[0.6, 0.8]], np.float32)
    assert largest_subject(groups[:5]) == pytest.approx(3 / 5)
    assert largest_subject(groups) == 1.0
    rows = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    assert separation(rows, np.arange(40) >= 20) == 1.0
