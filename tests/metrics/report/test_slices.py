"""Scores of parts of the rows, by hand."""

import math
from collections.abc import Callable

import pandas as pd

from kd_kedro.metrics.report.slices import length_thirds, score_runs, score_slices, worst_slice

Maker = Callable[..., pd.DataFrame]


def test_a_slice_pools_the_seeds_of_a_model(results: Maker) -> None:
    table = results(4, 2)
    half = {f"row{number:03}": "left" if number < 2 else "right" for number in range(4)}
    scored = score_slices(table, {"side": half})
    left = scored[(scored["value"] == "left") & (scored["model"] == "student")].iloc[0]
    own = table[(table["model"] == "student") & table["row_id"].isin(["row000", "row001"])]
    nll, tokens = own["nll"].astype(float).sum(), own["answer_tokens"].astype(float).sum()
    assert float(left["perplexity"]) == float(f"{math.exp(nll / tokens):.6g}")
    assert (left["rows"], left["families"]) == ("2", "2")


def test_a_row_without_a_value_is_in_no_part_of_the_slice(results: Maker) -> None:
    scored = score_slices(results(4, 2), {"side": {"row000": "left"}})
    assert set(scored[scored["slice"] == "side"]["rows"]) == {"1"}
    assert set(scored[scored["slice"] == "all"]["rows"]) == {"4"}


def test_a_metric_that_no_row_counts_for_is_left_empty(results: Maker) -> None:
    scored = score_slices(results(4, 2, gradable=0.0), {})
    assert set(scored["exact_match"]) == {""}


def test_every_run_is_scored(results: Maker) -> None:
    runs = score_runs(results(4, 2))
    assert list(runs["model"]) == ["baseline", "baseline", "student", "student", "teacher"]


def test_the_worst_slice_is_where_the_student_is_furthest_behind() -> None:
    def record(value: str, model: str, families: str, perplexity: str) -> dict[str, str]:
        return {
            "slice": "side",
            "value": value,
            "model": model,
            "families": families,
            "perplexity": perplexity,
        }

    table = pd.DataFrame(
        [
            record("left", "teacher", "20", "2.0"),
            record("left", "student", "20", "4.0"),
            record("right", "teacher", "20", "2.0"),
            record("right", "student", "20", "6.0"),
            record("small", "teacher", "3", "2.0"),
            record("small", "student", "3", "60.0"),
        ]
    )
    worst = worst_slice(table, min_families=10)
    assert worst == {
        "slice": "side",
        "value": "right",
        "families": 20,
        "student": 6.0,
        "teacher": 2.0,
    }
    assert worst_slice(table, min_families=30) is None


def test_thirds_by_the_length_of_the_reference() -> None:
    table = pd.DataFrame(
        {"row_id": list("abcdef"), "reference": ["x" * size for size in (1, 2, 5, 6, 20, 30)]}
    )
    thirds = length_thirds(pd.concat([table, table]))
    assert [thirds[row] for row in "abcdef"] == [
        "to 4 characters",
        "to 4 characters",
        "4 to 11 characters",
        "4 to 11 characters",
        "above 11 characters",
        "above 11 characters",
    ]
