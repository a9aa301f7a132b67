"""The tests beside the bootstrap, against enumeration and against scipy."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from kd_kedro.metrics.scores.exact_match import bleu, ratio
from kd_kedro.metrics.statistics.permutation import mcnemar, permutation_p


def sums(values: list[list[float]]) -> np.ndarray:
    """(seeds, families, 2): a value of each seed and family, each of one token."""
    return np.stack([np.array(values), np.ones((len(values), len(values[0])))], axis=-1)


def test_permutation_agrees_with_full_enumeration() -> None:
    student, baseline = sums([[3.0, 1.0, 4.0, 2.5, 2.0]]), sums([[1.0, 1.5, 2.0, 2.0, 2.2]])
    difference = (student - baseline)[0, :, 0]
    all_of_them = [abs(float(np.dot(signs, difference))) for signs in product((1, -1), repeat=5)]
    exact = np.mean([value >= abs(difference.sum()) - 1e-12 for value in all_of_them])
    estimate = permutation_p(student, baseline, ratio, draws=20_000, seed=0)
    assert estimate == pytest.approx(exact, abs=0.01)


def test_equal_answers_have_p_one() -> None:
    same = sums([[1.0, 2.0], [3.0, 4.0]])
    assert permutation_p(same, same, ratio, draws=99, seed=0) == 1.0


def test_p_is_never_zero() -> None:
    student, baseline = sums([[5.0] * 40]), sums([[1.0] * 40])
    assert permutation_p(student, baseline, ratio, draws=99, seed=0) == pytest.approx(1 / 100)


def test_all_seeds_of_a_family_are_swapped_together() -> None:
    """Seeds that contradict each other cancel in every swap, so nothing is unusual."""
    student, baseline = sums([[1.0, 1.0], [-1.0, -1.0]]), sums([[0.0, 0.0], [0.0, 0.0]])
    assert permutation_p(student, baseline, ratio, draws=99, seed=0) == 1.0


def test_corpus_scores_are_computed_anew() -> None:
    rng = np.random.default_rng(0)
    total = rng.integers(4, 9, (1, 12, 1)).astype(float)
    lengths = np.concatenate([total, total, *[total - k for k in range(4)]], axis=-1)
    student = np.insert(lengths, [2] * 4, 2.0, axis=-1)
    baseline = np.insert(lengths, [2] * 4, 1.0, axis=-1)
    assert permutation_p(student, baseline, bleu, draws=4095, seed=0) < 0.005


def rows(families: list[str], exact: list[str], gradable: str = "yes") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row_id": [f"r{number}" for number in range(len(families))],
            "family_id": families,
            "gradable": gradable,
            "exact_match": exact,
        }
    )


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 5), (7, 2), (10, 10), (0, 30)])
def test_mcnemar_is_the_exact_binomial_test(lost: int, won: int) -> None:
    families = [f"f{number}" for number in range(lost + won + 5)]
    student = rows(families, ["no"] * lost + ["yes"] * (won + 5))
    baseline = rows(families, ["yes"] * lost + ["no"] * won + ["yes"] * 5)
    said = mcnemar(student, baseline)
    expected = binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert said["p"] == pytest.approx(expected)
    counts = (said["families"], said["only_baseline_right"], said["only_student_right"])
    assert counts == (lost + won + 5, lost, won)


def test_mcnemar_takes_one_gradable_row_of_a_family() -> None:
    student = rows(["f"] * 8, ["yes"] * 8)
    student.loc[[0, 1, 2], "gradable"] = "no"
    assert mcnemar(student, rows(["f"] * 8, ["no"] * 8))["only_student_right"] == 1
    assert mcnemar(rows(["f"], ["no"], "no"), rows(["f"], ["no"], "no"))["families"] == 0
