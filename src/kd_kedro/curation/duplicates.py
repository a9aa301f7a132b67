"""Duplicates are merged, contradictions set aside for a person, shared answers listed."""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import pandas as pd

from kd_kedro.curation.rows import normalise
from kd_kedro.curation.similarity import (
    Pair,
    Vectors,
    names_agree,
    near_pairs,
    signature,
    unite,
)

EXACT = "same question and answer"
SAME_QUESTION = "same question, answers agree"
NEAR = "near question, answers agree"
CONFLICT = "same question, different answers"


@dataclass
class Duplicates:
    """What deduplication found; rows are named by position.

    Attributes:
        survivor: For each row merged into another, that other.
        similarity: For each merged row, the cosine of its question with the survivor's.
        reason: For each merged or conflicting row, why.
        conflict: For each row set aside, the number of its group.
        shared_answer: For each row whose answer stands at another question, the group's number.
    """

    survivor: dict[int, int] = field(default_factory=dict)
    similarity: dict[int, float] = field(default_factory=dict)
    reason: dict[int, str] = field(default_factory=dict)
    conflict: dict[int, int] = field(default_factory=dict)
    shared_answer: dict[int, int] = field(default_factory=dict)


def find_duplicates(
    rows: pd.DataFrame,
    question_vectors: Vectors,
    answer_vectors: Vectors,
    *,
    question_threshold: float,
    equal_answer_threshold: float,
    answer_threshold: float,
    mended: Collection[str] = (),
    reviewed: Collection[str] = (),
) -> Duplicates:
    """Find rows that say the same, rows that contradict each other, and shared answers.

    Two rows are merged where their questions are equal (normalised) or near with equal signature
    and names, and their answers agree: equal, or near with equal signature and names. Of a family
    one row survives: a mended one first, then a reviewed one, then the earliest. Rows with equal
    questions whose answers do not agree are set aside, all but the only mended one.

    Args:
        rows: Text columns `row_id, question, answer`, in the order of the sheet.
        question_vectors: float32 (n, d), rows of length 1.
        answer_vectors: float32 (n, d), rows of length 1.
        question_threshold: Cosine from which questions are near.
        equal_answer_threshold: The same where the answers are equal and telling (three words, or
            a figure), which is evidence of its own.
        answer_threshold: Cosine from which answers agree.
        mended: row_ids of rows a person mended.
        reviewed: row_ids of rows a person accepted.
    """
    questions, answers = rows["question"].tolist(), rows["answer"].tolist()
    ids = rows["row_id"].tolist()
    keys = [normalise(text) for text in questions]
    agree = _answers_agree(answers, answer_vectors, answer_threshold)
    telling = _telling_answers(answers)
    near = near_pairs(
        question_vectors,
        [signature(text) for text in questions],
        min(question_threshold, equal_answer_threshold),
    )
    pairs = _same_key_pairs(keys) + [
        pair
        for pair in near
        if pair.similarity >= question_threshold
        or (
            pair.similarity >= equal_answer_threshold
            and telling[pair.first] == telling[pair.second] != ""
        )
    ]

    def would_merge(one: int, other: int) -> bool:
        same = keys[one] == keys[other] or names_agree(questions[one], questions[other])
        return same and agree(one, other)

    families = unite(len(rows), pairs, would_merge)
    rank = [(ids[row] not in mended, ids[row] not in reviewed, row) for row in range(len(rows))]
    found = Duplicates()
    for family in families:
        keeper = min(family, key=lambda row: rank[row])
        for row in family:
            if row != keeper:
                found.survivor[row] = keeper
                found.similarity[row] = float(question_vectors[row] @ question_vectors[keeper])
                found.reason[row] = _merge_reason(row, keeper, keys, answers)
    _set_conflicts_aside(found, keys, ids, mended)
    _list_shared_answers(found, answers)
    return found


def _answers_agree(
    answers: list[str], vectors: Vectors, threshold: float
) -> Callable[[int, int], bool]:
    keys = [normalise(text) for text in answers]

    def agree(one: int, other: int) -> bool:
        if keys[one] == keys[other]:
            return True
        return (
            float(vectors[one] @ vectors[other]) >= threshold
            and signature(answers[one]) == signature(answers[other])
            and names_agree(answers[one], answers[other])
        )

    return agree


def _telling_answers(answers: list[str]) -> list[str]:
    """Return each answer normalised, '' where it is too short to tell one question from another."""
    keys = [normalise(text) for text in answers]
    return [
        key if len(key.split()) > 2 or any(char.isdigit() for char in key) else "" for key in keys
    ]


def _same_key_pairs(keys: list[str]) -> list[Pair]:
    """Return each row with every earlier row of the same key."""
    return [
        Pair(first, second, 1.0)
        for members in _groups(keys).values()
        for place, second in enumerate(members)
        for first in members[:place]
    ]


def _merge_reason(row: int, keeper: int, keys: list[str], answers: list[str]) -> str:
    if keys[row] != keys[keeper]:
        return NEAR
    same = normalise(answers[row]) == normalise(answers[keeper])
    return EXACT if same else SAME_QUESTION


def _set_conflicts_aside(
    found: Duplicates, keys: list[str], ids: list[str], mended: Collection[str]
) -> None:
    number = 0
    for members in _groups(keys).values():
        left = [row for row in members if row not in found.survivor]
        if len(left) < 2:
            continue
        number += 1
        settled = [row for row in left if ids[row] in mended]
        for row in left:
            if [row] != settled:
                found.conflict[row] = number
                found.reason[row] = CONFLICT
    # A row merged into one that is now set aside stands and falls with it.
    for row, keeper in found.survivor.copy().items():
        if keeper in found.conflict:
            del found.survivor[row], found.similarity[row]
            found.conflict[row] = found.conflict[keeper]
            found.reason[row] = CONFLICT


def _list_shared_answers(found: Duplicates, answers: list[str]) -> None:
    gone = found.survivor.keys() | found.conflict.keys()
    number = 0
    for members in _groups([normalise(text) for text in answers]).values():
        left = [row for row in members if row not in gone]
        if len(left) > 1:
            number += 1
            found.shared_answer.update(dict.fromkeys(left, number))


def _groups(keys: list[str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        groups[key].append(row)
    return groups
