"""Duplicates are merged, contradictions set aside for a person, shared answers listed."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from kd_kedro.curation.duplicates.deduplication_config import Thresholds
from kd_kedro.curation.duplicates.differences import wording_difference
from kd_kedro.curation.duplicates.near_questions import MOST_ANSWERS, searched_rows
from kd_kedro.curation.duplicates.neighbours import Pair, Vectors
from kd_kedro.curation.duplicates.signature import (
    holds,
    names_agree,
    question_key,
    sides_agree,
    signature,
    unite,
)
from kd_kedro.text.normalise import normalise

EXACT = "same question and answer"
SAME_QUESTION = "same question, answers agree"
HELD = "same question, the other answer holds this one"
NEAR = "near question, answers agree"
CONFLICT = "same question, different answers"


@dataclass(frozen=True)
class Link:
    """Why a row was merged or set aside: the row it was compared with, and how near that is.

    Attributes:
        neighbour: Position of the other row.
        similarity: Cosine of the questions; of the answers where the questions are equal and the
            answers are not.
        threshold: The cosine from which they count as near; None where it was not asked.
    """

    neighbour: int
    similarity: float
    threshold: float | None


@dataclass
class Duplicates:
    """What deduplication found; rows are named by position.

    Attributes:
        survivor: For each row merged into another, that other.
        reason: For each merged or conflicting row, why.
        link: For each merged or conflicting row, the evidence.
        conflict: For each row set aside, the number of its group.
        shared_answer: For each row whose answer stands at another question, the group's number.
    """

    survivor: dict[int, int] = field(default_factory=dict)
    reason: dict[int, str] = field(default_factory=dict)
    link: dict[int, Link] = field(default_factory=dict)
    conflict: dict[int, int] = field(default_factory=dict)
    shared_answer: dict[int, int] = field(default_factory=dict)


def find_duplicates(
    rows: pd.DataFrame,
    near_questions: Sequence[Pair],
    question_vectors: Vectors,
    answer_vectors: Vectors,
    thresholds: Thresholds,
    *,
    mended: Collection[str] = (),
    reviewed: Collection[str] = (),
) -> Duplicates:
    """Find rows that say the same, rows that contradict each other, and shared answers.

    Two rows are merged where their questions are equal (normalised) or near with equal signature
    and names, and their answers agree: equal, or near with equal signature and names. Where the
    questions are equal, it is enough that one answer holds the other: the longer one adds to it
    and takes nothing away. Of a family one row survives: a mended one first, then a reviewed one,
    then the one whose answer holds the others, then the earliest. Rows that ask the same
    (questions equal, or as good as equal with equal signature and names) and whose answers do not
    agree are set aside, all but the only mended one, and with them what was merged into them.

    Args:
        rows: Text columns `row_id, question, answer`, in the order of the sheet.
        near_questions: Pairs of rows whose questions are near by these thresholds, nearest first.
        question_vectors: float32 (n, d), rows of length 1.
        answer_vectors: float32 (n, d), rows of length 1.
        thresholds: From which cosine questions and answers are near.
        mended: row_ids of rows a person mended.
        reviewed: row_ids of rows a person accepted.
    """
    questions, answers = rows["question"].tolist(), rows["answer"].tolist()
    keys, answer_keys = [*map(question_key, questions)], [*map(normalise, answers)]
    near = _answers_agree(answers, answer_keys, answer_vectors, thresholds.answer_threshold)

    def akin(one: int, other: int) -> bool:
        return keys[one] == keys[other] or (
            names_agree(questions[one], questions[other])
            and sides_agree(questions[one], questions[other])
            and not wording_difference(questions[one], questions[other])
        )

    def would_merge(one: int, other: int) -> bool:
        if not akin(one, other):
            return False
        same = keys[one] == keys[other]
        return near(one, other) or (same and holds(answers[one], answers[other]) != 0)

    pairs = [*_same_key_pairs(keys, searched_rows(rows)), *near_questions]
    copies = _copies(keys, answer_keys)
    families = _with_copies(unite(len(rows), pairs, would_merge), copies)
    is_mended = [row in mended for row in rows["row_id"]]
    rank = [
        (not mended_row, row not in reviewed)
        for mended_row, row in zip(is_mended, rows["row_id"], strict=True)
    ]
    found = Duplicates()
    for family in families:
        if len(family) > 1:
            keeper = _keeper(family, rank, answers)
            for row in family:
                if row != keeper:
                    found.survivor[row] = keeper
                    found.reason[row] = _merge_reason(row, keeper, keys, answer_keys, near)
                    found.link[row] = _link(
                        row, family, found.reason[row], question_vectors, answer_vectors, thresholds
                    )
    same = [
        pair for pair in near_questions if pair.similarity >= thresholds.same_question_threshold
    ]
    asked_twice = [*_chains(keys), *(pair for pair in same if akin(pair.first, pair.second))]
    _set_conflicts_aside(found, asked_twice, is_mended, answer_vectors, thresholds.answer_threshold)
    _list_shared_answers(found, answer_keys)
    return found


def _answers_agree(
    answers: list[str], keys: list[str], vectors: Vectors, threshold: float
) -> Callable[[int, int], bool]:
    def agree(one: int, other: int) -> bool:
        if keys[one] == keys[other]:
            return True
        return (
            float(vectors[one] @ vectors[other]) >= threshold
            and signature(answers[one]) == signature(answers[other])
            and names_agree(answers[one], answers[other])
            and sides_agree(answers[one], answers[other])
        )

    return agree


def _copies(keys: Sequence[str], answer_keys: Sequence[str]) -> list[Pair]:
    """Return each row that is a copy with the first row of its question and answer."""
    first: dict[tuple[str, str], int] = {}
    return [
        Pair(first[both], row, 1.0)
        for row, both in enumerate(zip(keys, answer_keys, strict=True))
        if first.setdefault(both, row) != row
    ]


def _with_copies(families: Iterable[list[int]], copies: Iterable[Pair]) -> list[list[int]]:
    """Return families with the copies of their rows, which stand alone in what is given."""
    copies_of: dict[int, list[int]] = defaultdict(list)
    for pair in copies:
        copies_of[pair.first].append(pair.second)
    is_copy = {row for copied in copies_of.values() for row in copied}
    return [
        sorted([*family, *(copy for row in family for copy in copies_of.get(row, []))])
        for family in families
        if family[0] not in is_copy
    ]


def _same_key_pairs(keys: Sequence[str], rows: Collection[int]) -> list[Pair]:
    """Return each row with every earlier row of the same key."""
    return [
        Pair(first, second, 1.0)
        for members in _groups(keys, rows).values()
        for place, second in enumerate(members)
        for first in members[:place]
    ]


def _chains(keys: Sequence[str]) -> list[Pair]:
    """Return each row with the row before it of the same key."""
    return [
        Pair(first, second, 1.0)
        for members in _groups(keys, range(len(keys))).values()
        for first, second in itertools.pairwise(members)
    ]


def _keeper(family: list[int], rank: Sequence[tuple[bool, bool]], answers: Sequence[str]) -> int:
    keeper = min(family, key=lambda row: (rank[row], row))
    for row in family:
        if rank[row] == rank[keeper] and holds(answers[row], answers[keeper]) > 0:
            keeper = row
    return keeper


def _merge_reason(
    row: int,
    keeper: int,
    keys: Sequence[str],
    answer_keys: Sequence[str],
    near: Callable[[int, int], bool],
) -> str:
    if keys[row] != keys[keeper]:
        return NEAR
    if answer_keys[row] == answer_keys[keeper]:
        return EXACT
    return SAME_QUESTION if near(row, keeper) else HELD


def _link(
    row: int,
    family: Sequence[int],
    reason: str,
    question_vectors: Vectors,
    answer_vectors: Vectors,
    thresholds: Thresholds,
) -> Link:
    """Return the member of its family that a merged row is nearest to."""
    vectors = question_vectors if reason in (EXACT, NEAR) else answer_vectors
    # Among many copies the nearest is as near as any.
    others = [other for other in family[: MOST_ANSWERS + 1] if other != row]
    cosines = vectors[others] @ vectors[row]
    best = int(cosines.argmax())
    similarity = min(1.0, float(cosines[best]))
    if reason == NEAR:
        near = similarity >= thresholds.question_threshold - 1e-6
        return Link(
            others[best],
            similarity,
            thresholds.question_threshold if near else thresholds.equal_answer_threshold,
        )
    return Link(
        others[best], similarity, thresholds.answer_threshold if reason == SAME_QUESTION else None
    )


def _set_conflicts_aside(
    found: Duplicates,
    asked_twice: Iterable[Pair],
    is_mended: Sequence[bool],
    answer_vectors: Vectors,
    threshold: float,
) -> None:
    """Set aside survivors that ask the same, and the rows merged into them."""
    merged = found.survivor.copy()
    links = []
    for pair in asked_twice:
        one, other = (merged.get(row, row) for row in pair[:2])
        if one != other:
            links.append(Pair(min(one, other), max(one, other), pair.similarity))
    groups = unite(len(is_mended), links)
    for number, members in enumerate((rows for rows in groups if len(rows) > 1), start=1):
        settled = [row for row in members if is_mended[row]]
        for place, row in enumerate(members):
            if [row] != settled:
                other = settled[0] if len(settled) == 1 else members[0 if place else 1]
                cosine = min(1.0, float(answer_vectors[row] @ answer_vectors[other]))
                found.conflict[row] = number
                found.reason[row] = CONFLICT
                found.link[row] = Link(other, cosine, threshold)
    for row, keeper in merged.items():
        if keeper in found.conflict:
            del found.survivor[row]
            found.conflict[row] = found.conflict[keeper]
            found.reason[row] = CONFLICT
            found.link[row] = found.link[keeper]


def _list_shared_answers(found: Duplicates, answer_keys: Sequence[str]) -> None:
    gone = found.survivor.keys() | found.conflict.keys()
    left = [row for row in range(len(answer_keys)) if row not in gone]
    shared = (rows for rows in _groups(answer_keys, left).values() if len(rows) > 1)
    for number, members in enumerate(shared, start=1):
        found.shared_answer.update(dict.fromkeys(members, number))


def _groups(keys: Sequence[str], rows: Collection[int]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        groups[keys[row]].append(row)
    return groups
