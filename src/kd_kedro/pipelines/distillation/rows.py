"""Rows of the distillation pipeline: which ones are learned from, and as which tokens."""

import hashlib
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.pipelines.distillation.params import ExampleParams

if TYPE_CHECKING:  # torch would make every kedro command slow
    from kd_kedro.training.examples import Example

Rows = list[tuple[str, str, str]]  # row_id, question, answer


def training_rows(augmented_qa: pd.DataFrame, examples: ExampleParams) -> Rows:
    """Return the rows of the train split that models are trained on.

    Raises:
        ValueError: If there is none, or a row_id is there twice.
    """
    chosen = augmented_qa[
        (augmented_qa["split"] == "train") & augmented_qa["version"].isin(examples.versions)
    ]
    original = chosen["version"] == "original"
    others = _by_hash(_triples(chosen[~original]), examples.augmented_rows)
    rows = [*_triples(chosen[original]), *others]
    if not rows:
        raise ValueError(
            "augmented_qa has no row in split train of the versions "
            f"{', '.join(examples.versions)}; distillation needs rows to train on"
        )
    if chosen["row_id"].duplicated().any():
        twice = chosen["row_id"][chosen["row_id"].duplicated()].iloc[0]
        raise ValueError(f"augmented_qa has the row_id {twice} twice; make augmented_qa again")
    return rows


def validation_rows(augmented_qa: pd.DataFrame, examples: ExampleParams) -> Rows:
    """Return the rows of the validation split that early stopping looks at."""
    rows = _triples(augmented_qa[augmented_qa["split"] == "validation"])
    return _by_hash(rows, examples.validation_rows)


def encode_rows(rows: Rows, tokenizer: Any, max_length: int) -> "list[Example]":
    """Return rows as tokens."""
    from kd_kedro.training.examples import encode

    row_ids, questions, answers = zip(*rows, strict=True) if rows else ((), (), ())
    return encode(tokenizer, row_ids, questions, answers, max_length)


def _by_hash(rows: Rows, count: int) -> Rows:
    """Return at most `count` rows, a choice that follows neither the sheet's order nor a seed."""
    return sorted(rows, key=lambda row: hashlib.sha256(row[0].encode()).digest())[:count]


def _triples(table: pd.DataFrame) -> Rows:
    columns = (table[name].astype(str) for name in ("row_id", "question", "answer"))
    return list(zip(*columns, strict=True))
