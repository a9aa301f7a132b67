"""Who is asked the held-out questions."""

from types import SimpleNamespace

import pandas as pd

from kd_kedro.pipelines.evaluation.answers import perhaps_read, who_is_asked


def test_twins_of_every_seed_are_asked_under_one_name() -> None:
    model = SimpleNamespace(card={"seed": 10})
    further = ("baseline_11", "student_11", "cut_untaught_11", "patient_given_10")
    seeds = dict.fromkeys((*further, "patient_given_11"), model)
    controls = dict.fromkeys(("untrained", "cut_untaught"), model)
    found: dict[str, list[str]] = {}
    for each in who_is_asked(model, model, model, seeds, controls):
        found.setdefault(each.model, []).append(each.seed)
    both = ["10", "11"]
    assert found == {
        "teacher": [""],
        "untrained": [""],
        **dict.fromkeys(("baseline", "student", "cut_untaught", "patient_given"), both),
    }


def test_rows_that_were_not_kept_from_the_teacher_are_counted() -> None:
    rows = pd.DataFrame({"row_id": ["a", "b", "c"]})
    assert perhaps_read(SimpleNamespace(card={"held_out": ["a", "c", "x"]}), rows) == 1
    assert perhaps_read(SimpleNamespace(card={"held_out": []}), rows) == 3
    assert perhaps_read(SimpleNamespace(card={}), rows) == 0
