"""The one object: its numbers by name, what is ahead of what, and what must be said."""

import math
from typing import Any

from kd_kedro.metrics.report.evidence import beaten_controls, numbers


def estimate(low: float | None, high: float | None) -> dict[str, float | None]:
    middle = None if low is None or high is None else (low + high) / 2
    return {"estimate": middle, "low": low, "high": high}


def metric(student: Any, conclusion: str = "better", **controls: Any) -> dict[str, Any]:
    return {
        "student": student,
        "controls": controls,
        "conclusion": conclusion,
        "reason": "only 3 held-out families have a gradable answer; 30 are needed",
    }


def test_numbers_have_the_names_of_mlflows_table() -> None:
    evidence = {
        "verdict": {
            "overall": "better",
            "non_inferior": True,
            "metrics": {"bleu": {"student": {"estimate": 12.5, "low": None}}},
        },
        "slices": [{"rows": 3}],
        "held_out": {"rows_used": 4},
        "odd": math.inf,
    }
    assert numbers(evidence) == {"verdict.bleu.student.estimate": 12.5, "held_out.rows_used": 4.0}


def test_what_the_student_is_ahead_of_is_said_of_what_must_be_beaten() -> None:
    ahead, behind, equal = (
        {"student_ahead": place > 0, "student_behind": place < 0} for place in (1, -1, 0)
    )
    verdict = {
        "metrics": {
            "bleu": metric(estimate(10, 12), majority=ahead, echo=behind, shuffled=equal),
            "exact_match": metric(estimate(None, None)),
            "teacher_kl": metric(estimate(0.1, 0.2), floor_teacher=behind),
        }
    }
    found = {"majority": "ahead", "echo": "behind", "shuffled": "not ahead"}
    assert beaten_controls(verdict) == {"bleu": found}
