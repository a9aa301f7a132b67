"""Two runs' students: paired on the rows that both answered, by hand."""

import math

import pandas as pd
import pytest

from kd_kedro.metrics.comparison.run_difference import compare_runs

PRIMARY = ("perplexity", "bleu")
TOKENS = {"f": 2, "g": 4, "h": 3, "i": 1}


def results(nll, families="fgh"):
    """`validation_results` of students only; nll by (seed, family), rows in any order."""
    return pd.DataFrame(
        [
            {
                "row_id": f"r-{family}",
                "family_id": f"family-{family}",
                "model": "student",
                "seed": seed,
                "question": f"What is {family}?",
                "reference": f"{family} it surely is",
                "prediction": f"{family} it surely is",
                "nll": str(nll[seed, family]),
                "answer_tokens": str(TOKENS[family]),
            }
            for seed in sorted({seed for seed, _ in nll}, reverse=True)
            for family in families
        ]
    )


def compare(first, second, **options):
    chosen = {
        "primary": PRIMARY,
        "confidence": 0.95,
        "draws": 999,
        "min_families": 2,
        "seed": 0,
        **options,
    }
    return compare_runs(first, second, **chosen)


A = {("1", "f"): 4, ("1", "g"): 8, ("1", "h"): 99, ("2", "f"): 6, ("2", "g"): 12, ("2", "h"): 99}
B = {("1", "f"): 3, ("1", "g"): 6, ("1", "i"): 0, ("2", "f"): 6, ("2", "g"): 6, ("2", "i"): 0}


def test_the_difference_is_that_of_common_rows_and_seeds():
    said = compare(results(A), results(B, "gif"))
    # Sums over f and g, 6 tokens: A 12/6 and 18/6, B 9/6 and 12/6; differences -1/2 and -1.
    perplexity = said["metrics"]["perplexity"]
    assert perplexity["first"] == pytest.approx(math.exp(2.5))
    assert perplexity["second"] == pytest.approx(math.exp(1.75))
    assert perplexity["difference"]["estimate"] == pytest.approx(-0.75)
    assert said["rows"] == {"first": 3, "second": 3, "common": 2}
    assert said["families"]["common"] == 2
    assert said["seeds"] == ["1", "2"]


def test_a_difference_that_never_varies_is_certain():
    first = {key: 10.0 * TOKENS[key[1]] for key in A}
    second = {key: 9.5 * TOKENS[key[1]] for key in A}
    perplexity = compare(results(first), results(second))["metrics"]["perplexity"]
    assert perplexity["difference"] == pytest.approx({"estimate": -0.5, "low": -0.5, "high": -0.5})
    assert perplexity["conclusion"] == "better"
    again = compare(results(second), results(first))["metrics"]["perplexity"]
    assert again["conclusion"] == "worse"


def said_otherwise(rows, families="f"):
    """The same rows, of which some families are answered with other words."""
    other = rows["family_id"].str[-1].isin(list(families))
    return rows.assign(prediction=rows["prediction"].where(~other, "it may be another thing"))


def test_metrics_that_decide_come_first_and_are_adjusted_among_themselves():
    first = results({key: 10.0 * TOKENS[key[1]] for key in A})
    second = said_otherwise(results({key: 9.5 * TOKENS[key[1]] for key in A}))

    def told(*primary):
        return compare(first, second, primary=primary)["metrics"]

    alone, paired = told("perplexity"), told("bleu", "perplexity")
    assert [each["role"] for each in alone.values()][:2] == ["primary", "secondary"]
    assert {*list(paired)[:2]} == {"perplexity", "bleu"}
    # Holm: of two, the smaller p counts twice; alone, once.
    p = alone["perplexity"]["p_holm"]
    assert paired["perplexity"]["p_holm"] == pytest.approx(2 * p)


def test_what_cannot_tell_two_runs_apart_does_not_apply_and_widens_no_interval():
    first, second = (
        results({key: loss * TOKENS[key[1]] for key in A}).assign(exact_match="no", gradable="yes")
        for loss in (10.0, 9.5)
    )
    paired = compare(first, second, primary=("bleu", "exact_match", "perplexity"))["metrics"]
    for name, score in (("bleu", 100.0), ("exact_match", 0.0)):
        assert paired[name]["conclusion"] == "not applicable"
        assert paired[name]["reason"] == (
            "the compared models score the same in every seed and on every resample"
        )
        assert paired[name]["first"] == paired[name]["second"] == pytest.approx(score)
    alone = compare(first, second, primary=("perplexity",))["metrics"]
    assert paired["perplexity"]["p_holm"] == alone["perplexity"]["p_holm"]
    assert compare(first, first)["metrics"]["perplexity"]["conclusion"] == "not applicable"


def test_a_metric_that_can_say_nothing_does_not_apply():
    short = results(A).assign(reference="yes")
    said = compare(short, short)["metrics"]["bleu"]
    assert said["conclusion"] == "not applicable"
    assert said["reason"] == "no held-out answer has the four words in a row that BLEU counts"


def test_a_changed_reference_is_another_row():
    changed = results(A).replace({"reference": {"f it surely is": "f it is not"}})
    assert compare(results(A), changed)["rows"]["common"] == 2


def test_a_row_asked_twice_is_matched_once():
    twice = pd.concat([results(A), results(A)], ignore_index=True)
    assert compare(twice, results(A))["rows"] == {"first": 6, "second": 3, "common": 3}


def test_too_few_families_do_not_apply():
    said = compare(results(A), results(B, "fgi"), min_families=3)
    for metric in said["metrics"].values():
        assert metric["conclusion"] == "not applicable"
        assert metric["reason"].startswith("2 held-out families are common to both runs; 3 are")


def test_seeds_of_one_run_alone_do_not_apply():
    other = {({"1": "1", "2": "7"}[seed], family): value for (seed, family), value in A.items()}
    said = compare(results(A), results(other))
    assert "(1, 2 and 1, 7)" in said["metrics"]["perplexity"]["reason"]


def test_a_column_of_later_days_does_not_apply():
    said = compare(results(A), results(A))["metrics"]["exact_match"]
    assert said["conclusion"] == "not applicable"
    assert "made before validation_results had what it needs" in said["reason"]


def test_students_of_other_tokens_have_no_perplexity_to_compare():
    tokens = {"2": "3", "4": "6"}  # the first tokenizer's of each answer, and the second's
    second = said_otherwise(results(A).replace({"answer_tokens": tokens}))
    said = compare(results(A), second)["metrics"]
    assert said["perplexity"]["conclusion"] == "not applicable"
    assert "as other tokens" in said["perplexity"]["reason"]
    assert said["bleu"]["conclusion"] == "not shown"


def test_agreement_is_compared_where_the_teacher_is_the_same():
    taught = results(A).assign(agreeing_tokens="1")
    teacher = taught[taught["seed"] == "1"].assign(model="teacher", seed="")
    first = pd.concat([taught, teacher], ignore_index=True)
    twice = first["agreeing_tokens"].where(first["model"] + first["row_id"] != "studentr-f", "2")
    same = compare(first, first.assign(agreeing_tokens=twice))["metrics"]["teacher_agreement"]
    assert same["conclusion"] in ("better", "not shown")
    another = pd.concat([taught, teacher.assign(nll="1.0")], ignore_index=True)
    other = compare(first, another)["metrics"]["teacher_agreement"]
    assert other["reason"] == "the students had different teachers to agree with"


def test_labels_are_compared_where_both_runs_ask_for_them():
    labelled = results(A).assign(predicted_label="f")
    first = labelled.assign(label=labelled["family_id"].str[-1])
    second = first.replace({"label": {"h": ""}})  # too rare to be a label there
    said = compare(first, second)["metrics"]["macro_f1"]
    # Of f and g: "f" is right once and said twice, "g" never said.
    assert said["first"] == said["second"] == pytest.approx((2 / 3) / 2)


def test_nothing_in_common_is_a_reason():
    said = compare(results(A), results({("1", "i"): 1, ("2", "i"): 1}, "i"))
    assert said["rows"]["common"] == 0
    assert said["metrics"]["bleu"]["conclusion"] == "not applicable"
