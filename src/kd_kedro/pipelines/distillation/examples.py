"""Rows of the distillation pipeline: which ones are learned from, and as which tokens."""

import hashlib
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.pipelines.distillation.params import ExampleParams, SequenceLevelParams

if TYPE_CHECKING:  # torch would make every kedro command slow
    from kd_kedro.models.encoding import Example

Rows = list[tuple[str, str, str]]  # row_id, question, answer


def training_rows(augmented_qa: pd.DataFrame, examples: ExampleParams) -> Rows:
    """Return the rows of the train split that models are trained on.

    Raises:
        ValueError: If there is none, or a row_id is there twice.
    """
    chosen = augmented_qa[
        (augmented_qa["split"] == "train") & augmented_qa["style"].isin(examples.versions)
    ]
    original = chosen["style"] == "original"
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


def student_rows(written: Rows, teacher_answers: pd.DataFrame, params: SequenceLevelParams) -> Rows:
    """Return the rows a student is trained on: written ones, and what a teacher wrote well.

    Raises:
        ValueError: The answers are those to other questions, or none is left.
    """
    if params.source == "none":
        return written
    asked = [(row_id, question) for row_id, question, _ in written]
    if sorted(zip(teacher_answers["row_id"], teacher_answers["question"], strict=True)) != sorted(
        asked
    ):
        raise ValueError(
            "teacher_answers are answers to other questions than the training rows; run "
            "write_teacher_answers again"
        )
    good = _triples(teacher_answers[teacher_answers["outcome"] == "ok"])
    rows = [(f"{row_id}-teacher", question, answer) for row_id, question, answer in good]
    if not (rows or params.keep_written):
        raise ValueError(
            "no answer of the teacher can be used and sequence_level.keep_written is false: see "
            "the reasons in teacher_answers"
        )
    return [*written, *rows] if params.keep_written else rows


def encode_rows(rows: Rows, tokenizer: Any, max_length: int) -> "list[Example]":
    """Return rows as tokens."""
    from kd_kedro.models.encoding import encode

    row_ids, questions, answers = zip(*rows, strict=True) if rows else ((), (), ())
    return encode(tokenizer, row_ids, questions, answers, max_length)


def _by_hash(rows: Rows, count: int) -> Rows:
    """Return at most `count` rows, a choice that follows neither the sheet's order nor a seed."""
    return sorted(rows, key=lambda row: hashlib.sha256(row[0].encode()).digest())[:count]


def _triples(table: pd.DataFrame) -> Rows:
    columns = (table[name].astype(str) for name in ("row_id", "question", "answer"))
    return list(zip(*columns, strict=True))
