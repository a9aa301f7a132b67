"""What tells runs apart in MLflow's list."""

from typing import Any

import pytest

from kd_kedro.hooks.run_summary import describe, headlines, run_name

TIME = "2026-11-29T18.49.26.683Z"


def params(**chosen: Any) -> dict[str, Any]:
    return {"run_id": TIME, "env": None, "pipeline_names": None, "node_names": None, **chosen}


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ({}, "bread · base · 2026-11-29T18.49.26"),
        ({"env": "gpt2,server"}, "bread · gpt2,server · 2026-11-29T18.49.26"),
        ({"pipeline_names": ["__default__"]}, "bread · base · 2026-11-29T18.49.26"),
        (
            {"env": "test", "pipeline_names": ["filtering", "augmentation"]},
            "bread · test · filtering+augmentation · 2026-11-29T18.49.26",
        ),
        ({"node_names": ["judge"]}, "bread · base · judge · 2026-11-29T18.49.26"),
        ({"from_nodes": ["judge"]}, "bread · base · a part · 2026-11-29T18.49.26"),
        ({"node_names": ["n" * 99]}, f"bread · base · {'n' * 59}… · 2026-11-29T18.49.26"),
    ],
)
def test_a_run_is_called_by_sheet_recipe_and_time(chosen: dict[str, Any], name: str) -> None:
    assert run_name(params(**chosen), "bread") == name


def test_without_a_sheet_recipe_and_time_are_left() -> None:
    assert run_name(params(), "") == "base · 2026-11-29T18.49.26"


def estimate(value: float | None) -> dict[str, float | None]:
    return {"estimate": value, "low": value, "high": value}


def metric(*values: float | None, conclusion: str = "better") -> dict[str, Any]:
    who = ("student", "baseline", "teacher", "difference")
    return {
        **{name: estimate(value) for name, value in zip(who, values, strict=True)},
        "conclusion": conclusion,
        "reason": "",
        "role": "primary",
        "non_inferiority": {"conclusion": "not shown"},
        "gap_recovered": estimate(None),
        "controls": {},
    }


VERDICT = {
    "overall": "better",
    "primary": ["bleu", "exact_match"],
    "margin": 0.05,
    "non_inferior": False,
    "metrics": {
        "bleu": metric(12.0, 10.0, 20.0, 2.0),
        "exact_match": metric(0.5, 0.25, None, 0.25, conclusion="not shown"),
        "chrf": metric(1.0, 2.0, 3.0, 4.0),
    },
}


def test_the_few_numbers_are_those_of_the_primary_metrics() -> None:
    assert headlines(VERDICT) == {
        "student/bleu": 12.0,
        "baseline/bleu": 10.0,
        "teacher/bleu": 20.0,
        "difference/bleu": 2.0,
        "student/exact_match": 0.5,
        "baseline/exact_match": 0.25,
        "difference/exact_match": 0.25,
    }


def test_the_description_has_the_verdict_its_table_and_what_to_do_next() -> None:
    lines = describe(VERDICT, TIME, None).splitlines()
    assert lines[0] == "**Verdict: better**"
    assert lines[2].startswith("| metric | teacher | baseline student |")
    assert lines[4].startswith("| BLEU | 20.0")
    assert lines[7].startswith("The distilled student is better than its baseline in BLEU")
    assert lines[-1] == f"`kedro compare {TIME} OTHER` · `kedro promote {TIME}`"


def test_what_to_do_next_names_the_environment_of_the_run() -> None:
    last = describe(VERDICT, TIME, "gpt2,server").splitlines()[-1]
    assert last.count(" --env gpt2,server`") == 2
