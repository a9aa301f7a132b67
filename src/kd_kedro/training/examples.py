"""The table of examples: all that training and evaluation know of the data, whatever the task.

Every table of examples has the columns `EXAMPLE_COLUMNS`; columns that are not known here
pass through.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.storage.fingerprints import first_by_hash

if TYPE_CHECKING:  # torch would make every kedro command slow
    from kd_kedro.models.encoding import Example

# example_id: what teacher targets are joined by; row_id: the row it was made of.
# fields: what the prompt is made of, a JSON object. context: what only a teacher may read.
# weight: 1, or 0 where nothing is learned from it. teacher: whose targets it has, where several.
EXAMPLE_COLUMNS = [
    "example_id",
    "row_id",
    "family_id",
    "split",
    "task",
    "style",
    "fields",
    "context",
    "answer",
    "weight",
    "teacher",
]
QUESTION_ANSWERING = "question_answering"
ORIGINAL = "original"
_TAKEN_OVER = ("row_id", "family_id", "split", "style", "answer")  # columns of a split table


def make_examples(rows: pd.DataFrame, task: str = QUESTION_ANSWERING) -> pd.DataFrame:
    """Return rows of a split table as examples, in their order.

    Args:
        rows: Text columns row_id, family_id, split, style, question, answer, and teacher where rows
            name theirs; others pass through.
        task: What is asked of a model.

    Returns:
        Columns `EXAMPLE_COLUMNS`, then those that are not known here.
    """
    prompts = [
        json.dumps({"question": question}, ensure_ascii=False)
        for question in rows["question"].astype(str)
    ]
    known = {
        **{name: rows[name].astype(str) for name in _TAKEN_OVER},
        "example_id": rows["row_id"].astype(str),
        "task": task,
        "fields": pd.Series(prompts, index=rows.index, dtype="str"),
        "context": "",
        "weight": "1",
        "teacher": rows["teacher"].astype(str) if "teacher" in rows else "",
    }
    used = {*EXAMPLE_COLUMNS, "question"}
    others = {name: rows[name] for name in rows.columns if name not in used}
    table = pd.DataFrame({name: known[name] for name in EXAMPLE_COLUMNS}, rows.index)
    return table.astype("str").assign(**others).reset_index(drop=True)


def questions_of(examples: pd.DataFrame) -> list[str]:
    """Return the question of each example, in order."""
    return [str(json.loads(fields)["question"]) for fields in examples["fields"]]


def choose_training_examples(
    augmented_qa: pd.DataFrame, styles: Sequence[str], max_augmented_rows: int
) -> pd.DataFrame:
    """Return the examples of the train split that models learn from.

    Args:
        augmented_qa: The rows of all splits with their rewrites.
        styles: Which styles are chosen.
        max_augmented_rows: Most rewrites, chosen by a hash; they follow the original rows.

    Raises:
        ValueError: There is none, or a row_id is there twice.
    """
    rows = augmented_qa.reset_index(drop=True)
    chosen = rows[(rows["split"] == "train") & rows["style"].isin(styles)]
    original = chosen["style"] == ORIGINAL
    ordered = pd.concat([chosen[original], _by_hash(chosen[~original], max_augmented_rows)])
    if ordered.empty:
        raise ValueError(
            f"augmented_qa has no row in split train of the styles {', '.join(styles)}; "
            "distillation needs rows to train on"
        )
    if chosen["row_id"].duplicated().any():
        twice = chosen["row_id"][chosen["row_id"].duplicated()].iloc[0]
        raise ValueError(f"augmented_qa has the row_id {twice} twice; make augmented_qa again")
    return make_examples(ordered)


def choose_validation_examples(augmented_qa: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return at most `count` examples of the validation split, chosen by a hash."""
    rows = augmented_qa.reset_index(drop=True)
    return make_examples(_by_hash(rows[rows["split"] == "validation"], count))


def calibration_examples(examples: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return at most `count` examples on which models are measured, chosen by a hash."""
    return _by_hash(examples.reset_index(drop=True), count)


def learned(examples: pd.DataFrame) -> pd.DataFrame:
    """Return the examples that are learned from, those without a weight left out.

    Raises:
        ValueError: A weight is neither 0 nor 1.
    """
    weights = examples["weight"].astype(float)
    if not weights.isin([0, 1]).all():
        first = examples[~weights.isin([0, 1])].iloc[0]
        raise ValueError(
            f"example {first['example_id']} has the weight {first['weight']}: it is 1, or 0 where "
            "nothing is to be learned from it"
        )
    return examples[weights == 1]


def triples(examples: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return example_id, question and answer of each example: what a fingerprint is taken of."""
    ids, answers = (examples[name].astype(str) for name in ("example_id", "answer"))
    return list(zip(ids, questions_of(examples), answers, strict=True))


def teachers_named(examples: pd.DataFrame) -> dict[str, str]:
    """Return the name of the teacher that each example names, by its id; others are absent."""
    pairs = zip(examples["example_id"].astype(str), examples["teacher"].astype(str), strict=True)
    return {example: name for example, name in pairs if name}


def check_teachers(examples: pd.DataFrame, known: Sequence[str]) -> None:
    """Refuse examples that name a teacher there is not.

    Raises:
        ValueError: The message names the row and what it says.
    """
    for example, name in teachers_named(examples).items():
        if name not in known:
            raise ValueError(
                f"row {example} names the teacher '{name}', but the teachers of this run are "
                f"{', '.join(known)} (distillation.ensemble): name one of these in its column "
                "teacher, or leave it empty for the mean of all"
            )


def encode_examples(examples: pd.DataFrame, tokenizer: Any, max_length: int) -> "list[Example]":
    """Return examples as tokens, in order.

    Args:
        examples: The table.
        tokenizer: A fast tokenizer with an end-of-sequence token.
        max_length: Most tokens of prompt and answer together; longer ones are cut.
    """
    from kd_kedro.models.encoding import encode

    ids, questions, answers = zip(*triples(examples), strict=True) if len(examples) else ((),) * 3
    return encode(tokenizer, ids, questions, answers, max_length)


def example_lengths(examples: pd.DataFrame, tokenizer: Any) -> dict[str, int]:
    """Return the tokens of each example by its id, before `encode_examples` cuts it."""
    from kd_kedro.models.encoding import whole_lengths

    ids, answers = list(examples["example_id"]), list(examples["answer"])
    lengths = whole_lengths(tokenizer, questions_of(examples), answers)
    return dict(zip(ids, lengths, strict=True))


def _by_hash(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return at most `count` rows, a choice that follows neither the sheet's order nor a seed."""
    return rows.iloc[first_by_hash(rows["row_id"].astype(str), count)]
