"""Who becomes champion: every branch of the decision, and the comparison, by hand."""

import numpy as np
import pandas as pd
import pytest

from kd_kedro.metrics.comparison.champion import (
    Decision,
    compare_weights,
    decide,
    decide_first,
    hold_to_anchor,
    shared_held_out,
)
from kd_kedro.metrics.scores.metric_table import RESULT_COLUMNS

COLUMNS = ["row_id", "family_id", "split", "style", "question", "answer"]
JUDGED = {
    "primary": ["perplexity", "bleu", "exact_match", "teacher_agreement"],
    "confidence": 0.95,
    "draws": 2000,
    "min_families": 30,
    "margin": 0.05,
    "seed": 0,
}


def qa(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Rows as (family, split, question, answer), each an original."""
    records = [
        (f"r{i}", family, split, "original", question, answer)
        for i, (family, split, question, answer) in enumerate(rows)
    ]
    return pd.DataFrame(records, columns=COLUMNS, dtype="str")


def answered(nll: list[float], right: list[bool]) -> pd.DataFrame:
    """One row a family, two answer tokens each."""
    records = []
    for i, (each, exact) in enumerate(zip(nll, right, strict=True)):
        row = dict.fromkeys(RESULT_COLUMNS, "")
        row |= {"row_id": f"r{i:03}", "family_id": f"f{i:03}", "model": "student", "seed": "0"}
        row |= {"reference": "one two three four", "gradable": "yes"}
        row |= {"prediction": "one two three four" if exact else "five"}
        row |= {"nll": str(each), "answer_tokens": "2", "exact_match": "yes" if exact else "no"}
        records.append(row)
    return pd.DataFrame(records, dtype="str")


def test_a_row_must_be_held_out_with_its_family_in_both_runs() -> None:
    new = qa(
        ("a", "test", "Q1", "1"),
        ("b", "test", "Q2", "2"),  # the champion learnt it
        ("c", "test", "Q3", "3"),  # a sibling of it was learnt by the champion
        ("c", "test", "Q4", "4"),
        ("d", "test", "Q5", "5"),  # another answer there
        ("e", "train", "Q6", "6"),  # the newcomer learnt it
        ("g", "test", "Q7", "7"),  # its family there holds what the newcomer learnt
        ("h", "test", "Q8", "8"),  # its family's name was learnt there under other words
    )
    old = qa(
        ("x", "test", "Q1", "1"),
        ("b", "train", "q2.", "2"),
        ("c1", "test", "Q3", "3"),
        ("c2", "validation", "Q4", "4"),
        ("d", "test", "Q5", "five"),
        ("e", "test", "Q6", "6"),
        ("e", "test", "Q7", "7"),
        ("y", "test", "Q8", "8"),
        ("h", "train", "Q9", "9"),
    )
    assert list(shared_held_out(new, old)["question"]) == ["Q1"]


def test_versions_of_a_row_are_not_asked() -> None:
    rows = qa(("a", "test", "Q1", "1"), ("a", "test", "Q1 typo", "1"))
    rows.loc[1, "style"] = "typo"
    assert list(shared_held_out(rows, rows)["question"]) == ["Q1"]


def test_a_shift_on_every_family_is_shown_with_its_exact_size() -> None:
    right = [True] * 40
    got = compare_weights(answered([1.0] * 40, right), answered([2.0] * 40, right), **JUDGED)
    # Every family says the same: 1 nat less over 2 tokens, whatever is drawn.
    assert got["perplexity"]["difference"] == {"estimate": -0.5, "low": -0.5, "high": -0.5}
    assert got["perplexity"]["newcomer"] == pytest.approx(np.exp(0.5))
    assert got["perplexity"]["champion"] == pytest.approx(np.exp(1.0))
    assert got["perplexity"]["conclusion"] == "better"
    assert "teacher_agreement" not in got


@pytest.mark.parametrize(("loss", "kept"), [(2 * 0.0487, True), (2 * 0.0489, False)])
def test_a_perplexity_within_the_margin_is_non_inferior(loss: float, kept: bool) -> None:
    # log(1.05) = 0.04879 a token is the most that may be lost.
    right = [True] * 40
    got = compare_weights(answered([2 + loss] * 40, right), answered([2.0] * 40, right), **JUDGED)
    assert got["perplexity"]["non_inferior"] is kept
    assert got["perplexity"]["conclusion"] == "worse"


@pytest.mark.parametrize(("right", "silent"), [([False] * 40, True), ([True, False] * 20, False)])
def test_what_cannot_tell_the_two_apart_decides_nothing_and_widens_no_interval(
    right: list[bool], silent: bool
) -> None:
    losses = [1.5 + place % 5 / 10 for place in range(40)]
    pair = answered(losses, right), answered([2.0] * 40, [False] * 40)
    both, alone = (
        compare_weights(*pair, **{**JUDGED, "primary": names})
        for names in (["perplexity", "exact_match"], ["perplexity"])
    )
    assert ("exact_match" not in both) is silent
    assert (both["perplexity"]["p_holm"] == alone["perplexity"]["p_holm"]) is silent


def test_a_champion_of_other_tokens_is_not_compared_per_token() -> None:
    rows = answered([1.0] * 40, [True] * 40)
    assert "perplexity" not in compare_weights(rows, rows.assign(answer_tokens="3"), **JUDGED)


def test_a_few_gradable_answers_make_no_champion() -> None:
    newcomer, champion = (answered([1.0] * 40, [right] * 40) for right in (True, False))
    for rows in (newcomer, champion):
        rows["prediction"] = "the same"
        rows.loc[3:, "gradable"] = "no"
        rows.loc[3:, "exact_match"] = "no"
    assert "exact_match" not in compare_weights(newcomer, champion, **JUDGED)


def test_other_rows_are_refused() -> None:
    rows = answered([1.0] * 3, [True] * 3)
    with pytest.raises(ValueError, match="different rows"):
        compare_weights(rows, rows.head(2), **JUDGED)


BETTER, WORSE, UNSHOWN = "better", "worse", "not shown"


@pytest.mark.parametrize(
    ("metrics", "savings", "families", "moves", "conclusion", "said"),
    [
        ([(BETTER, True)], {}, 29, False, "not applicable", "only 29 families"),
        ([], {}, 30, False, "not applicable", "no primary metric"),
        ([(BETTER, True), (UNSHOWN, False)], {}, 30, True, BETTER, "better in m0"),
        ([(BETTER, True), (WORSE, False)], {}, 30, False, "mixed", "worse in m1"),
        ([(WORSE, False)], {"parameters": 9.0}, 30, False, WORSE, "worse in m0"),
        ([(UNSHOWN, False)], {"parameters": 9.0}, 30, False, UNSHOWN, "within the margin in m0"),
        ([(UNSHOWN, True)], {"parameters": 1.09}, 30, False, "non-inferior", "not 10 %"),
        ([(UNSHOWN, True)], {"time": 1.1}, 30, True, "non-inferior and cheaper", "1.10 times"),
        ([(WORSE, True)], {"bytes": 9.0}, 30, True, "non-inferior and cheaper", "less bytes"),
        ([(BETTER, True), (WORSE, True)], {}, 30, False, "non-inferior", "not 10 %"),
    ],
)
def test_the_decision(
    metrics: list[tuple[str, bool]],
    savings: dict[str, float],
    families: int,
    moves: bool,
    conclusion: str,
    said: str,
) -> None:
    named = {
        f"m{number}": {"conclusion": each, "non_inferior": kept}
        for number, (each, kept) in enumerate(metrics)
    }
    got = decide(named, savings, families=families, min_families=30, saving=0.1)
    assert (got.moves, got.conclusion) == (moves, conclusion)
    assert said in got.reason


@pytest.mark.parametrize(
    ("overall", "moves"), [("better", True), ("mixed", False), ("not shown", False)]
)
def test_the_first_champion_is_better_than_its_baseline(overall: str, moves: bool) -> None:
    got = decide_first(overall, "few families")
    assert got.moves is moves
    assert moves or "few families" in got.reason


@pytest.mark.parametrize(
    ("beside_champion", "beside_anchor", "moves", "conclusion", "anchors"),
    [
        (BETTER, BETTER, True, BETTER, True),
        ("non-inferior and cheaper", BETTER, True, BETTER, True),
        (BETTER, "non-inferior", True, "non-inferior and better than the champion", False),
        ("non-inferior and cheaper", "non-inferior", True, "non-inferior and cheaper", False),
        (BETTER, UNSHOWN, False, UNSHOWN, False),
        ("non-inferior and cheaper", WORSE, False, WORSE, False),
        (BETTER, "not applicable", False, "not applicable", False),
    ],
)
def test_who_takes_the_place_is_held_to_the_last_champion_that_was_better(
    beside_champion: str, beside_anchor: str, moves: bool, conclusion: str, anchors: bool
) -> None:
    decision = Decision(True, beside_champion, "it gains")
    got = hold_to_anchor(decision, Decision(False, beside_anchor, "it is so"), "version 1")
    assert (got.moves, got.conclusion, got.anchors) == (moves, conclusion, anchors)
    assert got.reason.startswith("it gains")
    assert "version 1, the last champion that was better" in got.reason


def test_what_a_conversation_asks_on_its_way_counts_as_learnt() -> None:
    talk = "⟦user⟧ Q1\n⟦assistant⟧ 1\n⟦user⟧ Q2"
    other = "⟦user⟧ Q3\n⟦assistant⟧ 3\n⟦user⟧ Q4"
    new = qa(("a", "test", "Q1", "1"), ("b", "test", other, "4"), ("c", "test", "Q5", "5"))
    old = qa(
        ("t", "train", talk, "2"),
        ("s", "train", "Q3", "3"),
        ("a", "test", "Q1", "1"),
        ("b", "test", other, "4"),
        ("c", "test", "Q5", "5"),
    )
    assert list(shared_held_out(new, old)["question"]) == ["Q5"]
