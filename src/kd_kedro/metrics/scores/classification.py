"""Answers that are one of a few labels: accuracy, precision, recall and F1, label by label.

An answer that names no label, or more than one, is "unparsable": a class of its own that nothing
is ever meant to be.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.scores.exact_match import canonical, gradable
from kd_kedro.metrics.statistics.significance import Floats

UNPARSABLE = "unparsable"
_LEAST_LABELS = 2


def labels_of(
    answers: Sequence[str], families: Sequence[str], *, min_families: int
) -> tuple[str, ...]:
    """Return the closed set of labels: words that many train families have as their whole answer.

    Args:
        answers: Answers of the train rows.
        families: The family of each.
        min_families: Families that must share a label. Amounts and whatever else has a digit are
            no labels.

    Returns:
        Labels in `canonical` form, sorted; none where there would be only one, which no answer
        could get wrong.
    """
    shared: dict[str, set[str]] = {}
    for answer, family in zip(answers, families, strict=True):
        if gradable(answer) and not any(character.isnumeric() for character in answer):
            shared.setdefault(canonical(answer), set()).add(family)
    shared.pop(UNPARSABLE, None)  # the name of the class that no answer is meant to be
    found = sorted(label for label, names in shared.items() if len(names) >= min_families)
    return tuple(found) if len(found) >= _LEAST_LABELS else ()


def parse_label(prediction: str, labels: Sequence[str]) -> str:
    """Return the label that an answer names, or `UNPARSABLE`.

    The label is the whole answer, or it opens it and a punctuation mark ends it ("Asset. It
    is owned."); an opening sentence that names another label too decides nothing.
    """
    text = canonical(prediction)
    if text in labels:
        return text
    opening = re.split(r"[.!?;\n。]", prediction.strip(), maxsplit=1)[0]
    said = canonical(opening)
    if said in labels:
        return said
    for label in sorted(labels, key=len, reverse=True):
        if re.match(rf"{re.escape(label)}\s*[,:(–—]|{re.escape(label)}\s+-\s", said):
            rest = said[len(label) :]
            others = (rf"(?<!\w){re.escape(other)}(?!\w)" for other in labels if other != label)
            return UNPARSABLE if any(re.search(other, rest) for other in others) else label
    return UNPARSABLE


def label_statistics(rows: pd.DataFrame) -> Floats:
    """Return what accuracy and macro F1 are made of, zeros for a row that asks for no label.

    Args:
        rows: One run's rows with `label` (the reference's, '' where it is none) and
            `predicted_label` ('' where no label was asked for).

    Returns:
        (rows, 2 + 3 labels): right, asked, and for every label of the references: right, meant,
        said.
    """
    meant, said = rows["label"].to_numpy(dtype=str), rows["predicted_label"].to_numpy(dtype=str)
    labels = np.unique(meant[meant != ""])
    asked = meant != ""
    by_label = [
        column
        for label in labels
        for column in (
            (meant == label) & (said == label),
            meant == label,
            asked & (said == label),
        )
    ]
    return np.column_stack([asked & (meant == said), asked, *by_label]).astype(np.float64)


def macro_f1(sums: Floats) -> Floats:
    """Return the mean F1 of the labels that references have, 0 to 1.

    Args:
        sums: (…, 2 + 3 labels), columns as in `label_statistics`.
    """
    right, meant, said = (sums[..., start::3] for start in (2, 3, 4))
    there = meant > 0
    f1 = np.where(there, 2 * right / np.maximum(meant + said, 1), 0.0)
    means: Floats = f1.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    return means


def classification_report(rows: pd.DataFrame) -> Mapping[str, Any] | None:
    """Return how one model, its seeds pooled, answers the rows that ask for a label.

    Args:
        rows: `validation_results` of one model.

    Returns:
        `rows`, `accuracy`, `macro_f1`, `labels` (of references and answers, `UNPARSABLE` last),
        `confusion` (rows meant, columns said, counts in the order of `labels`) and `by_label`:
        precision, recall and F1 of each but `UNPARSABLE`, None where a share has nothing to be
        divided by, and `meant`, how many references have it. None where no row asks for a label.
    """
    asked = rows[rows["label"] != ""]
    if asked.empty:
        return None
    known = set(asked["label"]) | set(asked["predicted_label"])
    labels = [*sorted(known - {UNPARSABLE}), UNPARSABLE]
    place = {label: number for number, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    meant, said = asked["label"].map(place), asked["predicted_label"].map(place)
    np.add.at(confusion, (meant.to_numpy(), said.to_numpy()), 1)
    sums = label_statistics(asked).sum(axis=0)
    return {
        "rows": len(asked),
        "accuracy": float(sums[0] / sums[1]),
        "macro_f1": float(macro_f1(sums)),
        "labels": labels,
        "confusion": confusion.tolist(),
        "by_label": {
            label: _shares(
                int(confusion[number, number]),
                int(confusion[number].sum()),
                int(confusion[:, number].sum()),
            )
            for number, label in enumerate(labels[:-1])
        },
    }


def _shares(right: int, meant: int, said: int) -> dict[str, float | int | None]:
    return {
        "precision": right / said if said else None,
        "recall": right / meant if meant else None,
        "f1": 2 * right / (meant + said) if meant else None,
        "meant": meant,
    }
