"""Agree × correct, by hand."""

import pandas as pd

from kd_kedro.metrics.scores.agreement import agree_and_correct


def test_every_answer_is_in_one_cell() -> None:
    rows = [
        # row, teacher's answer, right?, student's answer, right?
        ("a", "cash", "yes", "Cash.", "yes"),
        ("b", "cash", "no", "cash", "no"),
        ("c", "cash", "no", "bank", "yes"),
        ("d", "cash", "yes", "bank", "no"),
        ("e", "cash", "no", "bank", "no"),
    ]
    columns = ["row_id", "model", "seed", "gradable", "prediction", "exact_match"]
    records = []
    for row, taught, right, said, own in rows:
        records.append((row, "teacher", "", "yes", taught, right))
        records += [(row, model, "1", "yes", said, own) for model in ("baseline", "student")]
        records.append((f"{row}-free", "student", "1", "no", said, "no"))
    tables = agree_and_correct(pd.DataFrame(records, columns=columns))
    assert tables["student"] == tables["baseline"]
    assert tables["student"] == {
        "answers": 5,
        "agree_right": 1,
        "agree_wrong": 1,
        "differ_right": 1,
        "differ_wrong": 2,
        "teacher_right_lost": 1,
        "teacher_wrong_corrected": 1,
    }
