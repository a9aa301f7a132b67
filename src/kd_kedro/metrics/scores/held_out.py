"""The held-out rows: which are asked, and what a model's answers to them are worth."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.scores.calibration import cell_of_bins
from kd_kedro.metrics.scores.classification import parse_label
from kd_kedro.metrics.scores.exact_match import canonical, exact_match, gradable
from kd_kedro.metrics.scores.metric import numbers
from kd_kedro.metrics.scores.metric_table import NUMBER_COLUMNS, RESULT_COLUMNS
from kd_kedro.metrics.scores.overlap import ROUGE, rouge, token_f1


def choose_held_out(rows: pd.DataFrame, *, max_rows: int) -> pd.DataFrame:
    """Return the test rows to ask: whole families, in the order of a hash of their name.

    The choice does not depend on the order of the sheet, and a larger `max_rows` only adds.

    Args:
        rows: `augmented_qa`; only the originals of the test split are used.
        max_rows: Most rows to return; the first family is returned even where it has more.

    Raises:
        ValueError: There is no test row.
    """
    held_out = rows[(rows["split"] == "test") & (rows["style"] == "original")]
    if held_out.empty:
        raise ValueError(
            f"augmented_qa has no row in the test split, of {rows['family_id'].nunique()} families "
            "in all: give more rows or a larger augmentation.split.test"
        )
    order = held_out["family_id"].map(lambda name: hashlib.sha256(name.encode()).hexdigest())
    ordered = held_out.assign(order=order).sort_values(["order", "row_id"])
    return first_families(ordered.drop(columns="order"), max_rows=max_rows)


def first_families(rows: pd.DataFrame, *, max_rows: int) -> pd.DataFrame:
    """Return the first rows of a table, as many whole families as there is place for.

    Args:
        rows: Rows of a family stand together in it.
        max_rows: Most rows to return; the first family is returned even where it has more.
    """
    last = rows.groupby("family_id").cumcount(ascending=False) == 0
    ends = np.flatnonzero(last.to_numpy()) + 1
    size = max(int(ends[0]), *(int(end) for end in ends if end <= max_rows), 0)
    return rows.head(size).reset_index(drop=True)


def grade(
    rows: pd.DataFrame,
    predictions: Sequence[str],
    scores: Sequence[Mapping[str, Any]] | None,
    *,
    model: str,
    seed: str,
    labels: Sequence[str] = (),
    semantic_similarity: Sequence[float] | None = None,
    bertscore_f1: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Return one model's part of `validation_results`.

    Args:
        rows: The held-out rows.
        predictions: The model's own answer to each row.
        scores: What `score_together` says of each row's reference answer; None of a control that
            has no likelihoods. A score that is None does not apply, and its cell is ''.
        model: teacher, baseline, student or a control.
        seed: Its seed, '' where it has none.
        labels: The closed set of labels, from `labels_of`.
        semantic_similarity: Cosine of each prediction and its reference; None leaves it empty.
        bertscore_f1: BERTScore of each prediction and its reference; None leaves it empty.

    Returns:
        Table with `RESULT_COLUMNS`, all text.
    """
    references = list(rows["answer"])
    overlaps = rouge(predictions, references)
    similar = {"semantic_similarity": semantic_similarity, "bertscore_f1": bertscore_f1}
    records = []
    for number, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
        can_be_graded = gradable(reference)
        exact = can_be_graded and exact_match(prediction, reference)
        label = canonical(reference) if canonical(reference) in labels else ""
        records.append(
            {
                "row_id": rows["row_id"].iloc[number],
                "family_id": rows["family_id"].iloc[number],
                "model": model,
                "seed": seed,
                "question": rows["question"].iloc[number],
                "reference": reference,
                "prediction": prediction,
                **_score_cells({} if scores is None else scores[number]),
                "gradable": "yes" if can_be_graded else "no",
                "exact_match": "yes" if exact else "no",
                "token_f1": repr(token_f1(prediction, reference)),
                **dict(zip(ROUGE, map(repr, overlaps[number].tolist()), strict=True)),
                **{
                    name: "" if given is None else repr(float(given[number]))
                    for name, given in similar.items()
                },
                "label": label,
                "predicted_label": parse_label(prediction, labels) if label else "",
            }
        )
    table = pd.DataFrame(records, columns=RESULT_COLUMNS, dtype="str")
    for name in NUMBER_COLUMNS:
        numbers(table, name)  # a number that is not finite is refused here, before it is stored
    return table


def _score_cells(score: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a row that come from likelihoods, '' where there is none."""
    return {
        name: "" if score.get(name) is None else write(score[name])
        for name, write in _SCORES.items()
    }


_SCORES: dict[str, Callable[[Any], str]] = {
    "nll": lambda value: repr(float(value)),
    "answer_tokens": str,
    "answer_bytes": str,
    "agreeing_tokens": str,
    "teacher_kl": lambda value: repr(float(value)),
    "accepted_tokens": lambda value: repr(float(value)),
    "brier": lambda value: repr(float(value)),
    "calibration_tokens": lambda values: " ".join(map(str, values)),
    "calibration_confidence": cell_of_bins,
    "calibration_gaps": cell_of_bins,
}
