"""The held-out rows a reader learns most from."""

import pandas as pd

from kd_kedro.metrics.scores.exact_match import exact_match

COLUMNS = ["row_id", "why", "question", "reference", "teacher", "baseline", "student"]


def instructive_examples(results: pd.DataFrame, *, count: int) -> pd.DataFrame:
    """Return rows with the answers of the three models side by side, one kind after the other.

    Kinds: the student is right and its baseline is not; the reverse; both are wrong though the
    teacher is right; the student repeats the teacher's error; the student is right and its teacher
    is not; the reference likelier to the student than to the baseline, and the reverse. The kinds
    take turns, so that gains and losses are shown alike.

    Args:
        results: `validation_results`; the first seed of baseline and student is shown.
        count: Rows to return at most, no row twice.

    Returns:
        Table with `COLUMNS`, all text.
    """
    wide = _side_by_side(results)
    gain = wide["nll_baseline"] - wide["nll_student"]
    exact = {name: wide[f"exact_{name}"] == "yes" for name in ("teacher", "baseline", "student")}
    kinds = [
        ("the student is right, its baseline is not", exact["student"] & ~exact["baseline"], gain),
        ("the baseline is right, the student is not", exact["baseline"] & ~exact["student"], -gain),
        (
            "the teacher is right, both students are not",
            exact["teacher"] & ~exact["student"] & ~exact["baseline"],
            -wide["nll_student"],
        ),
        ("the student repeats the teacher's error", wide["repeats_error"], -wide["nll_student"]),
        ("the student is right, the teacher is not", exact["student"] & ~exact["teacher"], gain),
        ("the student gained most on its baseline", gain > 0, gain),
        ("the student lost most to its baseline", gain < 0, -gain),
    ]
    queues = [
        [(why, row) for row in order[chosen].sort_values(ascending=False, kind="stable").index]
        for why, chosen, order in kinds
    ]
    picked: dict[str, str] = {}
    while len(picked) < count and any(queues):
        for queue in queues:
            while queue:
                why, row = queue.pop(0)
                if row not in picked and len(picked) < count:
                    picked[row] = why
                    break
    table: pd.DataFrame = wide.loc[list(picked)].reset_index()
    table["why"] = list(picked.values())
    return pd.DataFrame({name: list(map(str, table[name])) for name in COLUMNS}, dtype="str")


def _side_by_side(results: pd.DataFrame) -> pd.DataFrame:
    """One row per held-out row: question, reference, each model's answer, nll per token, exact."""
    parts = {}
    for name in ("teacher", "baseline", "student"):
        rows = results[results["model"] == name]
        first = rows["seed"].iloc[0]
        parts[name] = rows[rows["seed"] == first].set_index("row_id")
    wide: pd.DataFrame = parts["teacher"].loc[:, ["question", "reference"]].copy()
    for name, rows in parts.items():
        wide[name] = rows["prediction"]
        wide[f"exact_{name}"] = rows["exact_match"]
        wide[f"nll_{name}"] = rows["nll"].astype(float) / rows["answer_tokens"].astype(float)
    wrong = (parts["teacher"]["gradable"] == "yes") & (wide["exact_teacher"] != "yes")
    same = [exact_match(*pair) for pair in zip(wide["teacher"], wide["student"], strict=True)]
    wide["repeats_error"] = wrong & pd.Series(same, index=wide.index)
    return wide
