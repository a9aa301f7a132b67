"""Where the student follows its teacher, and whether it is right there."""

from typing import Any

import pandas as pd

from kd_kedro.metrics.scores.exact_match import exact_match


def agree_and_correct(results: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return for baseline and student how answers that are the teacher's relate to right ones.

    Only gradable rows count, the seeds pooled: a row counts once a seed.

    Args:
        results: `validation_results`.

    Returns:
        By model the counts `agree_right` (the teacher's answer, and right), `agree_wrong` (the
        teacher's error copied), `differ_right` (right where the teacher said otherwise),
        `differ_wrong`, and of these `teacher_right_lost` (the teacher right, the model wrong) and
        `teacher_wrong_corrected` (the reverse).
    """
    graded = results[results["gradable"] == "yes"]
    teacher = graded[graded["model"] == "teacher"].set_index("row_id")
    said, right = teacher["prediction"], teacher["exact_match"] == "yes"
    tables: dict[str, dict[str, Any]] = {}
    for model in ("baseline", "student"):
        rows = graded[graded["model"] == model]
        agrees = [
            exact_match(answer, said[row])
            for answer, row in zip(rows["prediction"], rows["row_id"], strict=True)
        ]
        agree = pd.Series(agrees, index=rows.index, dtype=bool)
        own = rows["exact_match"] == "yes"
        taught = rows["row_id"].map(right).astype(bool)
        tables[model] = {
            "answers": len(rows),
            "agree_right": int((agree & own).sum()),
            "agree_wrong": int((agree & ~own).sum()),
            "differ_right": int((~agree & own).sum()),
            "differ_wrong": int((~agree & ~own).sum()),
            "teacher_right_lost": int((taught & ~own).sum()),
            "teacher_wrong_corrected": int((~taught & own).sum()),
        }
    return tables
