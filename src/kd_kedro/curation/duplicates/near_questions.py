"""Which rows ask nearly the same? Searched once: deduplication and split read the same pairs.

Questions are near where their signatures are equal and the cosine of their embeddings reaches a
threshold; a lower one will do where the answers are equal and telling (three words, or a figure),
which is evidence of its own. A pair whose wording makes it two questions (an opposite, another
name of code) is found by the search, and left out where its pairs are read. So is a conversation:
what was said before outweighs what it asks, and one that goes on where another ends asks more.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from kd_kedro.curation.duplicates.differences import wording_difference
from kd_kedro.curation.duplicates.neighbours import (
    NEIGHBOURS,
    Pair,
    Vectors,
    near_pairs,
    reaches,
)
from kd_kedro.curation.duplicates.signature import question_key, signature
from kd_kedro.curation.records.schema import table
from kd_kedro.text.normalise import normalise
from kd_kedro.text.transcript import is_transcript

NEAR_PAIRS = ["row_id", "neighbour_id", "cosine"]
# One question with more different answers is a conflict; which of them agree is not asked.
MOST_ANSWERS = 200


@dataclass(frozen=True)
class Nearness:
    """From which cosine questions of equal signature are near.

    Attributes:
        question: Whatever their answers.
        equal_answer: The same where their answers are equal and telling.
    """

    question: float
    equal_answer: float


def search_questions(
    rows: pd.DataFrame,
    vectors: Vectors,
    nearness: Nearness,
    among: Collection[int] | None = None,
    askers: Collection[int] | None = None,
) -> list[Pair]:
    """Return the pairs of rows with near questions, whatever their wording, the nearest first.

    Args:
        rows: n rows with text columns `question, answer`.
        vectors: float32 (n, d), rows of length 1, of the questions.
        nearness: From which cosine questions are near.
        among: Positions of the rows to compare; `searched_rows` where it is left out.
        askers: Positions of those whose neighbours are searched for; all where it is left out.
    """
    signatures: list[object] = [None] * len(rows)
    with_answers: list[object] = [None] * len(rows)
    questions, answer_keys = rows["question"].tolist(), [normalise(a) for a in rows["answer"]]
    for row in searched_rows(rows) if among is None else among:
        signatures[row] = signature(questions[row])
        if _is_telling(answer_keys[row]):
            with_answers[row] = signatures[row], answer_keys[row]
    return _unique(
        [
            *near_pairs(vectors, signatures, nearness.question, askers),
            *near_pairs(vectors, with_answers, nearness.equal_answer, askers),
        ]
    )


def searched_rows(rows: pd.DataFrame) -> list[int]:
    """Return the positions of the rows whose near questions are searched for.

    A copy says nothing new: only the first row of each question and answer is compared, and of a
    question with more than `MOST_ANSWERS` answers only its first row.

    Args:
        rows: Text columns `question, answer`.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    keys = [question_key(text) for text in rows["question"]]
    for row in first_rows(rows):
        groups[keys[row]].append(row)
    few = (some if len(some) <= MOST_ANSWERS else some[:1] for some in groups.values())
    return sorted(row for some in few for row in some)


def first_rows(rows: pd.DataFrame) -> list[int]:
    """Return the position of the first row of each question and answer, both normalised."""
    first: dict[tuple[str, str], int] = {}
    columns = map(question_key, rows["question"]), map(normalise, rows["answer"])
    for row, both in enumerate(zip(*columns, strict=True)):
        first.setdefault(both, row)
    return list(first.values())


def write_pairs(pairs: Iterable[Pair], row_ids: Sequence[str]) -> pd.DataFrame:
    """Return pairs as a text table with columns `NEAR_PAIRS`, each cosine with all its digits."""
    return table(
        NEAR_PAIRS,
        [(row_ids[pair.first], row_ids[pair.second], repr(pair.similarity)) for pair in pairs],
    )


def read_pairs(near: pd.DataFrame, rows: pd.DataFrame, nearness: Nearness) -> list[Pair]:
    """Return those of the pairs that are near by these thresholds, whatever their wording.

    A search from these thresholds would have found the same: the nearest rows of a row are its
    nearest from any threshold.

    Args:
        near: Columns `NEAR_PAIRS`, cosines as text or numbers; pairs of rows that are not in `rows`
            are left out.
        rows: Text columns `row_id, question, answer`.
        nearness: From which cosine questions are near, no lower than what was searched with.

    Returns:
        Pairs by position in `rows`, the nearest first.
    """
    place = {row: n for n, row in enumerate(rows["row_id"])}
    answers = [normalise(text) for text in rows["answer"]]
    pairs = []
    for one, other, written in zip(*(near[name] for name in NEAR_PAIRS), strict=True):
        if one not in place or other not in place:
            continue
        first, second = sorted((place[one], place[other]))
        cosine = float(written)
        same = answers[first] == answers[second] and _is_telling(answers[first])
        if reaches(cosine, nearness.question) or (same and reaches(cosine, nearness.equal_answer)):
            pairs.append(Pair(first, second, cosine))
    return _unique(pairs)


def find_near_survivors(
    rows: pd.DataFrame,
    before: pd.DataFrame,
    near: pd.DataFrame,
    vectors: Vectors,
    nearness: Nearness,
) -> list[Pair]:
    """Return the pairs of near questions among rows that are left of those that were searched.

    Their wording does not matter: opposites may share a split, and a copy with another word in it
    must not be held out from the rows that teach its answer.

    A row is searched for again, among all that are left, where its question is another one by now,
    where it was passed over (a copy that outlived the first row), and where it had more
    neighbours than are kept, some of which are gone.

    Args:
        rows: n rows with text columns `row_id, question, answer`.
        before: The rows that were searched, with the same columns.
        near: What `search_questions` found among them, columns `NEAR_PAIRS`.
        vectors: float32 (n, d), rows of length 1, of the questions in `rows`.
        nearness: From which cosine questions are near, no lower than what was searched with.
    """
    searched = before.iloc[searched_rows(before)]
    asked = dict(zip(searched["row_id"], searched["question"], strict=True))
    ids = rows["row_id"].tolist()
    same = {row for row, text in zip(ids, rows["question"], strict=True) if asked.get(row) == text}
    kept = near[near["row_id"].isin(same) & near["neighbour_id"].isin(same)]
    partners = Counter([*near["row_id"], *near["neighbour_id"]])
    firsts = first_rows(rows)
    again = [row for row in firsts if ids[row] not in same or partners[ids[row]] >= NEIGHBOURS]
    found = search_questions(rows, vectors, nearness, among=firsts, askers=again)
    return _unique([*read_pairs(kept, rows, nearness), *found])


def _is_telling(answer: str) -> bool:
    """Return whether an answer is long enough to tell one question from another."""
    return len(answer.split()) > 2 or any(char.isdigit() for char in answer)


def asking_the_same(pairs: Iterable[Pair], rows: pd.DataFrame) -> list[Pair]:
    """Return the pairs whose wording does not make two questions of them, in their order.

    A conversation asks the same only where all of it is equal, which is no matter of nearness.
    """
    questions = rows["question"].tolist()
    asked = ((pair, questions[pair.first], questions[pair.second]) for pair in pairs)
    return [
        pair
        for pair, one, other in asked
        if not (is_transcript(one) or is_transcript(other) or wording_difference(one, other))
    ]


def _unique(pairs: Sequence[Pair]) -> list[Pair]:
    """Return each pair once, as it was found first, sorted by falling similarity."""
    unique: dict[tuple[int, int], Pair] = {}
    for pair in pairs:
        unique.setdefault((pair.first, pair.second), pair)
    return sorted(unique.values(), key=lambda pair: (-pair.similarity, pair.first, pair.second))
