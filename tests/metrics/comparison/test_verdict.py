"""The verdict: complete, paired, and its words follow from the interval shown."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from kd_kedro.metrics.comparison.verdict import conclude_overall, judge
from kd_kedro.metrics.scores.metric_table import METRICS, RESULT_COLUMNS
from tests.metrics.comparison.judging import JUDGING

PRIMARY = JUDGING["primary"]
DECIDING = [metric for metric in METRICS if metric.name in PRIMARY]  # a fraction of the time
Maker = Callable[..., pd.DataFrame]
_VERDICT = {
    "schema",
    "seeds",
    "families",
    "confidence",
    "margin",
    "overall",
    "overall_reason",
    "non_inferior",
    "primary",
    "metrics",
    "descriptions",
}
_ENTRY = {
    "teacher",
    "baseline",
    "student",
    "controls",
    "difference",
    "p_permutation",
    "role",
    "non_inferiority",
    "gap_recovered",
    "attribution",
    "families",
    "higher_is_better",
    "p_holm",
    "conclusion",
    "reason",
    "signature",
}


def verdict(table: pd.DataFrame, **options: Any) -> dict[str, Any]:
    return judge(table, **{**JUDGING, "min_families": 10, **options})


def judged(said: dict[str, Any]) -> list[dict[str, Any]]:
    applicable = [m for m in said["metrics"].values() if m["conclusion"] != "not applicable"]
    assert len(applicable) >= len(PRIMARY)
    return applicable


def test_it_has_exactly_the_keys_of_its_contract(results: Maker) -> None:
    said = verdict(results())
    assert set(said) == _VERDICT
    assert set(PRIMARY) <= set(said["metrics"])
    for name, metric in said["metrics"].items():
        assert set(metric) == _ENTRY | ({"mcnemar"} if name == "exact_match" else set())
        for part in ("teacher", "baseline", "student", "difference"):
            assert set(metric[part]) == {"estimate", "low", "high"}
    assert said["seeds"] == [0, 1, 2]
    assert said["families"] == 60


def test_estimates_by_hand() -> None:
    table = pd.DataFrame(
        [
            # row, family, model, seed, nll, tokens, agreeing, gradable, exact
            ("a", "f", "teacher", "", "2.0", "2", "2", "yes", "yes"),
            ("b", "g", "teacher", "", "4.0", "4", "4", "no", "no"),
            *((row, family, "baseline", seed, nll, tokens, agreeing, can, "no")
              for seed in ("1", "2")
              for row, family, nll, tokens, agreeing, can in (
                  ("a", "f", "8.0", "2", "1", "yes"), ("b", "g", "10.0", "4", "2", "no"))),
            ("a", "f", "student", "1", "4.0", "2", "2", "yes", "yes"),
            ("b", "g", "student", "1", "8.0", "4", "3", "no", "no"),
            ("a", "f", "student", "2", "6.0", "2", "1", "yes", "no"),
            ("b", "g", "student", "2", "6.0", "4", "2", "no", "no"),
        ],
        columns=[
            "row_id", "family_id", "model", "seed", "nll", "answer_tokens", "agreeing_tokens",
            "gradable", "exact_match",
        ],
        dtype="str",
    )  # fmt: skip
    said = "one two three four"
    table = table.assign(question="q", reference=said, prediction=said)
    table = table.reindex(columns=RESULT_COLUMNS, fill_value="")
    metrics = verdict(table, min_families=1)["metrics"]
    assert metrics["perplexity"]["teacher"]["estimate"] == pytest.approx(math.e)
    assert metrics["perplexity"]["baseline"]["estimate"] == pytest.approx(math.exp(3))
    assert metrics["perplexity"]["student"]["estimate"] == pytest.approx(math.exp(2))
    assert metrics["perplexity"]["difference"]["estimate"] == pytest.approx(-1)
    assert metrics["exact_match"]["student"]["estimate"] == pytest.approx(0.5)
    assert metrics["teacher_agreement"]["difference"]["estimate"] == pytest.approx(
        ((5 / 6 + 3 / 6) / 2) - 3 / 6
    )
    assert metrics["bleu"]["student"]["estimate"] == pytest.approx(100)


def test_a_clear_gain_is_better_and_a_clear_loss_worse(results: Maker) -> None:
    assert verdict(results(effect=0.4))["metrics"]["perplexity"]["conclusion"] == "better"
    assert verdict(results(effect=-0.4))["metrics"]["perplexity"]["conclusion"] == "worse"


def test_luck_of_the_seeds_is_not_taken_for_a_gain(results: Maker) -> None:
    """Families alone would find it: the gain is small beside the spread between seeds."""
    table = results(effect=0.1, seed_spread=0.3, random=3)
    assert verdict(table)["metrics"]["perplexity"]["conclusion"] == "not shown"


@pytest.mark.slow
def test_a_useless_student_is_hardly_ever_better(results: Maker) -> None:
    wrong = 0
    for random in range(40):
        metrics = verdict(results(families=40, seed_spread=0.1, random=random), metrics=DECIDING)[
            "metrics"
        ]
        wrong += any(metrics[name]["conclusion"] == "better" for name in PRIMARY)
    assert wrong <= 4  # 2.5 % are allowed on either side; 4 of 40 has a chance of 2 %


@pytest.mark.parametrize("random", range(12))
def test_interval_conclusion_and_p_never_disagree(results: Maker, random: int) -> None:
    said = verdict(results(effect=0.02 * random - 0.1, seed_spread=0.03, random=random))
    for metric in judged(said):
        low, high = metric["difference"]["low"], metric["difference"]["high"]
        excludes_zero = low > 0 or high < 0
        assert excludes_zero == (metric["conclusion"] in ("better", "worse"))
        assert excludes_zero == (metric["p_holm"] <= 0.05)
        if excludes_zero:
            gained = (low > 0) == metric["higher_is_better"]
            assert metric["conclusion"] == ("better" if gained else "worse")


def test_without_gradable_rows_exact_match_is_not_applicable_and_says_why(results: Maker) -> None:
    said = verdict(results(gradable=0.0))
    exact = said["metrics"]["exact_match"]
    assert exact["conclusion"] == "not applicable"
    assert "only 0 held-out families have a gradable answer; 10 are needed" in exact["reason"]
    assert exact["difference"] == {"estimate": None, "low": None, "high": None}
    assert exact["p_holm"] is None
    assert set(exact) == _ENTRY | {"mcnemar"}
    json.dumps(said, allow_nan=False)


def test_few_gradable_families_do_not_count_in_holm(results: Maker) -> None:
    """Three metrics are left: the first step is 0.05 / 3."""
    said = verdict(results(effect=0.4, gradable=0.03))
    assert "98.33 % by Holm" in said["metrics"]["perplexity"]["reason"]


def test_one_seed_judges_nothing(results: Maker) -> None:
    said = verdict(results(seeds=1, effect=0.5))
    assert {metric["conclusion"] for metric in said["metrics"].values()} == {"not applicable"}
    assert "train at least two" in said["metrics"]["perplexity"]["reason"]
    assert said["metrics"]["perplexity"]["student"]["low"] is not None
    json.dumps(said, allow_nan=False)


def test_the_same_answers_are_not_shown_to_differ(results: Maker) -> None:
    table = results()
    for seed in ("0", "1", "2"):
        baseline = table[(table["model"] == "baseline") & (table["seed"] == seed)]
        mine = (table["model"] == "student") & (table["seed"] == seed)
        columns = ["prediction", "nll", "agreeing_tokens", "exact_match"]
        table.loc[mine, columns] = baseline[columns].to_numpy()
    for metric in judged(verdict(table)):
        assert metric["conclusion"] == "not shown"
        assert metric["difference"] == {"estimate": 0.0, "low": 0.0, "high": 0.0}


def test_it_is_the_same_twice_and_in_any_order_of_rows(results: Maker) -> None:
    table = results()
    assert verdict(table) == verdict(table.sample(frac=1, random_state=1))


def test_a_missing_baseline_is_an_error(results: Maker) -> None:
    table = results()
    with pytest.raises(ValueError, match="for every seed, a baseline and a student"):
        verdict(table[~((table["model"] == "baseline") & (table["seed"] == "1"))])


def test_models_that_answered_other_rows_are_an_error(results: Maker) -> None:
    table = results()
    with pytest.raises(ValueError, match="student of seed '2' answered other rows"):
        verdict(table.drop(index=table.index[table["model"].eq("student")][-1]))


@pytest.mark.parametrize("number", ["inf", "nan"])
def test_a_diverged_model_is_an_error_that_names_it(results: Maker, number: str) -> None:
    table = results()
    table.loc[(table["model"] == "student") & (table["row_id"] == "row007"), "nll"] = number
    with pytest.raises(ValueError, match="student of seed '0' has no finite nll for row row007"):
        verdict(table)


def _swapped(table: pd.DataFrame) -> pd.DataFrame:
    names = {"student": "baseline", "baseline": "student"}
    return table.assign(model=table["model"].replace(names))


@pytest.mark.parametrize("effect", [0.0, 0.4])
def test_student_and_baseline_swapped_mirror_everything(results: Maker, effect: float) -> None:
    table = results(effect=effect, seed_spread=0.02)
    said, mirrored = verdict(table), verdict(_swapped(table))
    words = {"better": "worse", "worse": "better"}
    assert mirrored["overall"] == words.get(said["overall"], said["overall"])
    for name, metric in said["metrics"].items():
        other = mirrored["metrics"][name]
        assert other["conclusion"] == words.get(metric["conclusion"], metric["conclusion"])
        assert other["student"] == metric["baseline"]
        assert other["p_permutation"] == metric["p_permutation"]
        difference, back = metric["difference"], other["difference"]
        if difference["estimate"] is None:
            continue
        assert back["estimate"] == pytest.approx(-difference["estimate"])
        assert back["low"] == pytest.approx(-difference["high"])
        assert back["high"] == pytest.approx(-difference["low"])
    lost, won = (("only_baseline_right", "only_student_right")[each] for each in (0, 1))
    here, there = (each["metrics"]["exact_match"]["mcnemar"] for each in (said, mirrored))
    assert (here[lost], here[won], here["p"]) == (there[won], there[lost], there["p"])


@pytest.mark.parametrize(
    ("conclusions", "overall"),
    [
        (("better", "not shown"), "better"),
        (("worse", "not shown", "not applicable"), "worse"),
        (("better", "worse"), "mixed"),
        (("not shown", "not applicable"), "not shown"),
        (("not applicable",), "not applicable"),
    ],
)
def test_primary_metrics_decide_together(conclusions: tuple[str, ...], overall: str) -> None:
    named = {f"metric{number}": said for number, said in enumerate(conclusions)}
    assert conclude_overall(named)[0] == overall


def test_a_secondary_metric_decides_nothing(results: Maker) -> None:
    said = verdict(results(effect=0.4), primary=("bleu",))
    assert said["metrics"]["perplexity"]["conclusion"] == "better"
    assert said["metrics"]["perplexity"]["role"] == "secondary"
    assert said["overall"] == "not shown"
    assert said["overall_reason"] == "no primary metric's interval excludes zero."
    # One primary metric: its interval is not adjusted.
    assert "95 % by Holm" in said["metrics"]["bleu"]["reason"]


def test_controls_are_shown_and_not_judged(results: Maker) -> None:
    table = results()
    untrained = table[table["model"] == "teacher"].assign(model="untrained", agreeing_tokens="1")
    echo = untrained.assign(model="echo", nll="", agreeing_tokens="", prediction="no")
    with_controls = pd.concat([table, untrained, echo], ignore_index=True)
    said, plain = verdict(with_controls), verdict(table)
    assert set(said["metrics"]["perplexity"]["controls"]) == {"untrained"}
    assert set(said["metrics"]["bleu"]["controls"]) == {"untrained", "echo"}
    assert said["metrics"]["bleu"]["controls"]["echo"]["estimate"] < 1
    for name, metric in plain["metrics"].items():
        assert metric["controls"] == {}
        assert said["metrics"][name]["difference"] == metric["difference"]


def test_the_student_is_compared_with_controls_row_by_row(results: Maker) -> None:
    """Families differ by more than the student's lead, which it has in each of them."""
    table = results(effect=0.4)
    own = table[(table["model"] == "student") & (table["seed"] == "0")]
    tokens = own["answer_tokens"].astype(float)
    for gap, ahead in ((0.2, True), (0.0, False), (-0.2, False)):
        nll = (own["nll"].astype(float) + gap * tokens).map(repr)
        control = own.assign(model="untrained", seed="", nll=nll)
        said = verdict(pd.concat([table, control], ignore_index=True), metrics=DECIDING)
        metric = said["metrics"]["perplexity"]
        assert metric["controls"]["untrained"]["student_ahead"] is ahead
        assert metric["controls"]["untrained"]["student_behind"] is (gap < 0)
        assert metric["controls"]["untrained"]["low"] < metric["student"]["high"]


def test_patient_twins_are_one_control_by_account(results: Maker) -> None:
    table = results(effect=0.4)
    twins = [
        table[table["model"] == "baseline"].assign(model=f"patient_{account}")
        for account in ("given", "counted")
    ]
    said = verdict(pd.concat([table, *twins], ignore_index=True), metrics=DECIDING)
    metric = said["metrics"]["perplexity"]
    assert set(metric["controls"]) == {"patient"}
    for account in ("teacher_given", "teacher_counted"):
        assert metric["controls"]["patient"][account]["student_ahead"]
        assert metric["controls"]["patient"][account]["estimate"] == metric["baseline"]["estimate"]
        assert metric["attribution"]["patient"][account]["difference"] == pytest.approx(
            metric["difference"]["estimate"]
        )


def test_an_unknown_primary_metric_is_an_error(results: Maker) -> None:
    with pytest.raises(ValueError, match="there is no metric charm"):
        verdict(results(), primary=("charm",))


def test_the_teacher_kept_and_recovered(results: Maker) -> None:
    """The teacher's loss is 1, the baseline's 2: with a gain of 0.98 all but 2 % is recovered."""
    said = verdict(results(effect=0.98), primary=("perplexity",))
    gap = said["metrics"]["perplexity"]["gap_recovered"]
    assert gap["low"] < 0.98 < gap["high"]
    assert said["non_inferior"] is (
        said["metrics"]["perplexity"]["non_inferiority"]["conclusion"] == "non-inferior"
    )
    assert verdict(results(effect=0.2))["non_inferior"] is False
    assert verdict(results(), primary=("teacher_agreement",))["non_inferior"] is None


@pytest.mark.parametrize(
    ("metric", "cells", "reason"),
    [
        (
            "exact_match",
            {"exact_match": "no"},
            "score the same in every seed and on every resample",
        ),
        ("bleu", {"reference": "three words only"}, "has the four words in a row that BLEU counts"),
        ("bleu", {"prediction": "42"}, "score the same in every seed and on every resample"),
        (
            "accuracy",
            {"label": "asset", "predicted_label": "unparsable"},
            "every held-out label is “asset”",
        ),
    ],
)
def test_a_metric_that_can_say_nothing_widens_no_interval(
    results: Maker, metric: str, cells: dict[str, str], reason: str
) -> None:
    table = results(effect=0.1, seed_spread=0.02).assign(**cells)
    said = verdict(table, primary=("perplexity", metric))["metrics"]
    assert said[metric]["conclusion"] == "not applicable"
    assert reason in said[metric]["reason"]
    alone = verdict(table, primary=("perplexity",))["metrics"]
    assert said["perplexity"]["difference"] == alone["perplexity"]["difference"]
    assert said["perplexity"]["p_holm"] == alone["perplexity"]["p_holm"]


@pytest.mark.parametrize("effect", [0.0, 0.03, 0.06, 0.4])
def test_a_share_of_the_lead_is_shown_exactly_where_a_difference_is(
    results: Maker, effect: float
) -> None:
    said = verdict(results(effect=effect, seed_spread=0.02), metrics=DECIDING)["metrics"]
    metric = said["perplexity"]
    gap = metric["gap_recovered"]
    assert (gap["low"] > 0) == (metric["conclusion"] == "better")
    assert (gap["high"] < 0) == (metric["conclusion"] == "worse")
    (level,) = re.findall(r"\(([\d.]+) % by Holm", metric["reason"])
    assert gap["reason"].endswith(f"; {level} %")


def test_descriptions_tell_of_every_model_and_of_the_references(results: Maker) -> None:
    table = results()
    echo = table[table["model"] == "teacher"].assign(model="echo", prediction="no no")
    said = verdict(pd.concat([table, echo], ignore_index=True))["descriptions"]
    told = said["distinct_1"]
    assert set(told) == {"teacher", "baseline", "student", "reference", "controls", "signature"}
    assert told["controls"]["echo"] == pytest.approx(1 / 120)  # one word in 60 answers of two
    assert said["length_ratio"]["reference"] == pytest.approx(1)


def test_no_interval_reaches_beyond_what_two_shares_can_differ_by(results: Maker) -> None:
    table = results(40, 2, gradable=1.0)
    # One student answers everything, the other nothing: Student's t of one degree has no ends.
    right = (table["model"] == "student") & (table["seed"] == "0")
    table["exact_match"] = right.map({True: "yes", False: "no"})
    said = verdict(table, primary=("exact_match",))["metrics"]["exact_match"]["difference"]
    assert said == {"estimate": 0.5, "low": -1.0, "high": 1.0}
