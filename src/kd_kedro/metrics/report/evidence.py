"""The one object that report, model card, MLflow and JSON take their numbers from."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

# Changes with every section that a page asks for: earlier evidence is then refused, not half read.
SCHEMA = "kd_kedro.evidence/3"
# What any model must beat: answers that need no model, and the student before its training.
TO_BEAT = ("untrained", "majority", "echo", "shuffled")
FLOOR = "floor_teacher"
PRETRAINED = "pretrained_teacher"  # the teacher before it was fine-tuned
CUT_UNTAUGHT = "cut_untaught"  # begins with weights of the teacher, learns without it
# Baselines that are trained with all the compute of the distillation; by account of it.
PATIENT = {"given": "patient_given", "counted": "patient_counted"}


def numbers(evidence: Mapping[str, Any]) -> dict[str, float]:
    """Return every number of the evidence by its dotted path, as in MLflow's table `numbers`.

    The word `metrics` is left out of paths, and so is what stands in lists: those are tables.
    """
    return {
        key.replace(".metrics.", "."): float(value)
        for key, value in _leaves(evidence, "")
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def beaten_controls(verdict: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return by metric which controls the student is clearly ahead of.

    Clearly: the interval of the paired difference lies wholly on the better side of zero. Where it
    lies on the other side, the student is behind.

    Returns:
        By name of every metric and control that can be compared `ahead`, `behind` or `not ahead`.
    """
    found = {
        name: {
            control: _place(metric["controls"][control])
            for control in TO_BEAT
            if control in metric["controls"]
        }
        for name, metric in verdict["metrics"].items()
    }
    return {name: controls for name, controls in found.items() if controls}


def _place(control: Mapping[str, Any]) -> str:
    if control["student_behind"]:
        return "behind"
    return "ahead" if control["student_ahead"] else "not ahead"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value
