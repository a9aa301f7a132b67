"""The held-out rows: which are asked, and what a model's answers to them are worth."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.metric_table import RESULT_COLUMNS
from kd_kedro.metrics.text import exact_match, gradable


def choose_held_out(rows: pd.DataFrame, *, max_rows: int) -> pd.DataFrame:
    """Return the test rows to ask: whole families, in the order of a hash of their name.

    The choice does not depend on the order of the sheet, and a larger `max_rows` only adds.

    Args:
        rows: `augmented_qa`; only the originals of the test split are used.
        max_rows: Most rows to return; the first family is returned even where it has more.

    Raises:
        ValueError: There is no test row.
    """
    held_out = rows[(rows["split"] == "test") & (rows["version"] == "original")]
    if held_out.empty:
        raise ValueError(
            "augmented_qa has no row in the test split: the sheet is too small to hold rows out, "
            "or augmentation's test share is 0"
        )
    order = held_out["family_id"].map(lambda name: hashlib.sha256(name.encode()).hexdigest())
    ordered = held_out.assign(order=order).sort_values(["order", "row_id"])
    last = ordered.groupby("order").cumcount(ascending=False) == 0
    ends = np.flatnonzero(last.to_numpy()) + 1
    size = max(int(ends[0]), *(int(end) for end in ends if end <= max_rows), 0)
    return ordered.head(size).drop(columns="order").reset_index(drop=True)


def grade(
    rows: pd.DataFrame,
    predictions: Sequence[str],
    scores: Sequence[Mapping[str, Any]],
    teacher_scores: Sequence[Mapping[str, Any]] | None,
    *,
    model: str,
    seed: str,
) -> pd.DataFrame:
    """Return one model's part of `validation_results`.

    Args:
        rows: The held-out rows.
        predictions: The model's own answer to each row.
        scores: For the reference answer of each row: `nll` (nats, summed), `answer_tokens` and
            `top1` (the model's first choice at each answer position, ids).
        teacher_scores: The teacher's scores of the same rows; None where its tokens are others, so
            that agreement token by token does not apply.
        model: teacher, baseline or student.
        seed: Its seed, '' for the teacher.

    Returns:
        Table with `RESULT_COLUMNS`, all text.

    Raises:
        ValueError: Model and teacher cut the answers into different tokens.
    """
    records = []
    for number, (row, reference) in enumerate(zip(rows["row_id"], rows["answer"], strict=True)):
        own = np.asarray(scores[number]["top1"])
        teacher = own if teacher_scores is None else np.asarray(teacher_scores[number]["top1"])
        if len(own) != len(teacher):
            raise ValueError(
                f"{model} of seed {seed!r} cuts the answer of row {row} into {len(own)} tokens, "
                f"the teacher into {len(teacher)}: both need the same tokenizer and length limit"
            )
        can_be_graded = gradable(reference)
        exact = can_be_graded and exact_match(predictions[number], reference)
        records.append(
            (
                row,
                rows["family_id"].iloc[number],
                model,
                seed,
                rows["question"].iloc[number],
                reference,
                predictions[number],
                repr(float(scores[number]["nll"])),
                str(scores[number]["answer_tokens"]),
                "" if teacher_scores is None else str(int((own == teacher).sum())),
                "yes" if can_be_graded else "no",
                "yes" if exact else "no",
            )
        )
    return pd.DataFrame(records, columns=RESULT_COLUMNS, dtype="str")
