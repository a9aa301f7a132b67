"""Which rows are asked, how answers are graded, sliced, shown and summed up."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kd_kedro.metrics.comparison.verdict import judge
from kd_kedro.metrics.report.instructive_answers import instructive_examples
from kd_kedro.metrics.report.slices import score_runs, score_slices, worst_slice
from kd_kedro.metrics.scores.formatting import (
    show_difference,
    summarise,
    teacher_sentence,
    verdict_sentence,
)
from kd_kedro.metrics.scores.held_out import choose_held_out, first_families, grade
from kd_kedro.metrics.scores.metric_table import RESULT_COLUMNS
from tests.metrics.comparison.judging import JUDGING

Maker = Callable[..., pd.DataFrame]


def rows(families: int, each: int = 2) -> pd.DataFrame:
    records = [
        (f"r{family}-{number}", f"f{family}", "test", "original", "q", "a", "s")
        for family in range(families)
        for number in range(each)
    ]
    columns = ["row_id", "family_id", "split", "style", "question", "answer", "source"]
    return pd.DataFrame(records, columns=columns, dtype="str")


def test_whole_families_are_chosen_whatever_the_order_of_the_sheet() -> None:
    table = rows(20)
    chosen = choose_held_out(table, max_rows=7)
    assert len(chosen) == 6
    assert set(chosen.groupby("family_id").size()) == {2}
    shuffled = choose_held_out(table.sample(frac=1, random_state=0), max_rows=7)
    assert list(shuffled["row_id"]) == list(chosen["row_id"])
    more = choose_held_out(table, max_rows=12)
    assert list(more["row_id"])[:6] == list(chosen["row_id"])
    assert list(first_families(more, max_rows=7)["row_id"]) == list(chosen["row_id"])
    assert len(first_families(more, max_rows=1)) == 2


def test_only_originals_of_the_test_split_are_held_out() -> None:
    table = rows(3, each=1)
    table.loc[0, "split"] = "train"
    table.loc[1, "style"] = "formal"
    assert list(choose_held_out(table, max_rows=10)["row_id"]) == ["r2-0"]


def test_no_test_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="no row in the test split"):
        choose_held_out(rows(2).assign(split="train"), max_rows=10)


BINS = {
    "calibration_tokens": [1, 2, *[0] * 8],
    "calibration_confidence": [0.05, 0.25, *[0] * 8],
    "calibration_gaps": [-0.95, 0.25, *[0] * 8],
}
SCORE = {
    "nll": 1.5,
    "answer_tokens": 3,
    "answer_bytes": 5,
    "agreeing_tokens": 2,
    "teacher_kl": 0.25,
    "accepted_tokens": 2.5,
    "brier": 0.5,
}


OTHER = dict.fromkeys(("agreeing_tokens", "teacher_kl", "accepted_tokens"))


def test_grades_by_hand() -> None:
    table = rows(2, each=1).assign(answer=["Asset", "A long answer that nobody words alike twice."])
    scores = [SCORE | BINS, SCORE | BINS | OTHER]
    graded = grade(
        table,
        ["asset.", "A long one"],
        scores,
        model="student",
        seed="7",
        labels=("asset", "liability"),
        semantic_similarity=[1.0, 0.5],
        bertscore_f1=[0.75, 0.25],
    )
    assert list(graded.columns) == RESULT_COLUMNS
    found = graded.set_index("row_id").T.to_dict()
    asset, other = found["r0-0"], found["r1-0"]
    assert [asset[name] for name in SCORE] == ["1.5", "3", "5", "2", "0.25", "2.5", "0.5"]
    assert [other[name] for name in (*OTHER, "nll")] == ["", "", "", "1.5"]
    assert asset["calibration_tokens"] == "1 2 0 0 0 0 0 0 0 0"
    assert asset["calibration_gaps"].split()[:2] == ["-0.95", "0.25"]
    # What is not gradable is not matched.
    assert list(graded["gradable"]) == ["yes", "no"]
    assert list(graded["exact_match"]) == ["yes", "no"]
    assert (asset["token_f1"], asset["rouge1"], asset["rouge2"]) == ("1.0", "1.0", "0.0")
    assert float(other["token_f1"]) == pytest.approx(2 * 2 / (3 + 8))
    assert list(graded["bertscore_f1"]) == ["0.75", "0.25"]
    assert list(graded["label"]) == list(graded["predicted_label"]) == ["asset", ""]


def test_a_control_without_likelihoods_has_empty_cells() -> None:
    graded = grade(rows(1, each=1), [""], None, model="echo", seed="")
    empty = [*SCORE, *BINS, "semantic_similarity", "bertscore_f1", "label", "predicted_label"]
    assert set(graded.loc[0, empty]) == {""}
    assert graded.loc[0, "token_f1"] == "0.0"


def test_slices_add_up_and_the_worst_is_named(results: Maker) -> None:
    table = results(families=20)
    kinds = {row: "hard" if row < "row010" else "easy" for row in set(table["row_id"])}
    hard = table["row_id"].map(kinds) == "hard"
    table.loc[hard & (table["model"] == "student"), "nll"] = "99.0"
    sliced = score_slices(table, {"format": kinds})
    parts = sliced[(sliced["slice"] == "format") & (sliced["model"] == "student")]
    assert parts["rows"].astype(int).sum() == 20
    worst = worst_slice(sliced, min_families=5)
    assert worst is not None
    assert (worst["slice"], worst["value"], worst["families"]) == ("format", "hard", 10)
    assert worst_slice(sliced, min_families=11) is None


def test_scores_of_a_run_are_the_verdicts_numbers(results: Maker) -> None:
    table = results(seeds=2)
    runs = score_runs(table)
    teacher = runs[runs["model"] == "teacher"].iloc[0]
    metrics = judge(table, **JUDGING)["metrics"]
    for name in ("perplexity", "bleu", "exact_match", "teacher_agreement"):
        assert float(teacher[name]) == pytest.approx(metrics[name]["teacher"]["estimate"], abs=1e-4)


def test_examples_show_gains_and_losses_alike_and_no_row_twice(results: Maker) -> None:
    shown = instructive_examples(results(families=30), count=10)
    assert len(shown) == 10
    assert shown["row_id"].is_unique
    assert any("gained" in why or "student is right" in why for why in shown["why"])
    assert any("lost" in why or "baseline is right" in why for why in shown["why"])


def test_an_examples_heading_is_true_whatever_the_teacher_said(results: Maker) -> None:
    table = results(families=1, seeds=1).assign(gradable="yes", exact_match="yes")
    table.loc[table["model"] == "baseline", "exact_match"] = "no"
    shown = instructive_examples(table, count=1)
    assert list(shown["why"]) == ["the student is right, its baseline is not"]  # so is the teacher


def test_summary_says_the_verdict_in_one_sentence(results: Maker) -> None:
    verdict = judge(results(effect=0.4), **JUDGING)
    sentence = verdict_sentence(verdict)
    assert sentence.startswith("The distilled student is better than its baseline in perplexity")
    assert sentence.count(".") == 1
    tables = summarise(pd.DataFrame({"stage": ["x"], "in": [1]}), verdict, None)
    assert [table.title for table in tables] == ["Rows", "Verdict: better"]
    assert len(tables[1].rows) == len(verdict["primary"])


@pytest.mark.parametrize("families", [3, 30])  # fewer and more than can be judged
def test_a_student_worse_than_untrained_is_told_of_first(results: Maker, families: int) -> None:
    table = results(effect=0.4, families=families)
    own = table[(table["model"] == "student") & (table["seed"] == "0")]
    nll = (own["nll"].astype(float) - 0.5 * own["answer_tokens"].astype(float)).map(repr)
    untrained = own.assign(model="untrained", seed="", nll=nll)
    verdict = judge(pd.concat([table, untrained], ignore_index=True), **JUDGING)
    plain = verdict_sentence(judge(table, **JUDGING))
    metric = verdict["metrics"]["perplexity"]
    student, before = metric["student"]["estimate"], metric["controls"]["untrained"]["estimate"]
    assert student > before
    assert verdict_sentence(verdict) == (
        "The distilled student is worse than before its training in perplexity "
        f"({student:.2f}, {before:.2f} untrained). {plain}"
    )
    assert summarise(None, verdict, None)[0].note.startswith("The distilled student is worse than")


def test_a_student_that_is_worse_than_its_teacher_is_called_so_with_the_figures(
    results: Maker,
) -> None:
    judging = {**JUDGING, "primary": ("perplexity", "exact_match")}
    verdict = judge(results(effect=0.4), **judging)  # the teacher's loss is less by 0.6
    metric = verdict["metrics"]["perplexity"]
    student, teacher = (metric[who]["estimate"] for who in ("student", "teacher"))
    assert teacher_sentence(verdict).startswith(
        f"It is worse than its teacher in perplexity ({student:.2f}, its teacher {teacher:.2f}); of"
    )
    equal = judge(results(effect=1.0), **judging)
    assert "only, and worse" not in teacher_sentence(equal)
    equal["metrics"]["exact_match"]["non_inferiority"]["conclusion"] = "worse"
    equal["metrics"]["perplexity"]["non_inferiority"]["conclusion"] = "non-inferior"
    equal["non_inferior"] = False
    assert teacher_sentence(equal).startswith(
        "It is non-inferior to its teacher within a margin of 5 % in perplexity only, and worse "
        "than it in exact match ("
    )


def entry(now: float | None, before: float, *, behind: bool, up: bool) -> dict[str, Any]:
    """Return what `verdict_sentence` reads of a metric."""
    return {
        "conclusion": "not shown",
        "higher_is_better": up,
        "student": {"estimate": now},
        "controls": {"untrained": {"estimate": before, "student_behind": behind}},
    }


@pytest.mark.parametrize(
    ("perplexity", "bleu", "said"),
    [
        ((9.0, 8.0, False), (2.0, 1.0, False), "perplexity (9.00, 8.00 untrained)"),
        ((8.0, 9.0, False), (1.0, 2.0, True), "BLEU (1.00, 2.00 untrained)"),
        ((8.0, 9.0, False), (1.0, 2.0, False), ""),  # perhaps by chance, and not the first metric
        ((8.001, 8.0, False), (2.0, 1.0, False), ""),  # the same as it is shown
        ((None, 8.0, False), (2.0, 1.0, False), "perplexity (–, 8.00 untrained)"),  # infinite
    ],
)
def test_what_counts_as_worse_than_untrained(
    perplexity: tuple[float | None, float, bool], bleu: tuple[float, float, bool], said: str
) -> None:
    metrics = {
        name: entry(now, before, behind=behind, up=name == "bleu")
        for name, (now, before, behind) in (("perplexity", perplexity), ("bleu", bleu))
    }
    verdict = {"overall": "not shown", "primary": list(metrics), "metrics": metrics}
    start = f"The distilled student is worse than before its training in {said}. " if said else ""
    plain = "The distilled student is not shown to differ from its baseline in perplexity and BLEU."
    assert verdict_sentence(verdict) == start + plain


def test_nothing_to_judge_is_said_too(results: Maker) -> None:
    verdict = judge(results(seeds=1), **JUDGING)
    assert verdict_sentence(verdict).startswith("No primary metric could be judged")


def test_perplexity_difference_reads_as_a_change_in_percent() -> None:
    assert show_difference("perplexity", float(np.log(0.9))) == "-10.0 %"
