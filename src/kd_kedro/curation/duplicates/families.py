"""Families are split, not rows: what says nearly the same stays on one side.

A family is the transitive closure of "made from", "deduplication would merge" and "asks what a
conversation asks at one of its turns", whose prompt then holds the answer. Its split is a hash of
its earliest member's question, so a row keeps its side when the sheet grows.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from kd_kedro.curation.duplicates.neighbours import Pair
from kd_kedro.curation.duplicates.signature import names_agree, question_key, unite
from kd_kedro.curation.records.schema import SPLIT, table
from kd_kedro.curation.repair.personal_data import without_letters
from kd_kedro.text.transcript import Message, earlier_questions, read_transcript

SPLITS = ("train", "validation", "test")


def split_rows(
    rows: pd.DataFrame,
    near_questions: Iterable[Pair],
    shares: Mapping[str, float],
    asked_first: Sequence[str] = (),
) -> pd.DataFrame:
    """Give each row its family and each family its split.

    Questions that are equal, or near with agreeing names, are of one family, whatever their
    answers. Where what is near here is near for deduplication too, and more, nothing that it would
    merge can straddle. A row that asks what a conversation asks at one of its turns, whatever the
    system message, is of its family too.

    Args:
        rows: Text columns `row_id, line, question, answer, source`.
        near_questions: Pairs of rows whose questions are near with equal signature.
        shares: Share of the families by split name: train, validation, test; they sum to 1.
        asked_first: The questions before any was converted or reworded, as a conversation still
            has them in its turns; the rows' own where they are left out.

    Returns:
        Text columns `row_id, family_id, split, style, question, answer, source`, style
        `original`, in the order of `rows`.
    """
    questions = rows["question"].tolist()
    keys = [*map(question_key, questions)]
    order = {
        row: (int(line) if line.isdigit() else len(rows), row_id)
        for row, (line, row_id) in enumerate(zip(rows["line"], rows["row_id"], strict=True))
    }
    near = (pair for pair in near_questions if _akin(pair, keys, questions))
    kin = [*_same_question_pairs(keys), *_turn_pairs(questions, asked_first), *near]
    family_of: dict[int, str] = {}
    for members in unite(len(rows), kin):
        earliest = min(members, key=order.__getitem__)
        family_of.update(dict.fromkeys(members, keys[earliest]))
    return table(
        SPLIT,
        [
            (
                row_id,
                family_id(family_of[row]),
                assign_split(family_of[row], shares),
                "original",
                question,
                answer,
                source,
            )
            for row, (row_id, question, answer, source) in enumerate(
                zip(rows["row_id"], questions, rows["answer"], rows["source"], strict=True)
            )
        ],
    )


def family_id(text: str) -> str:
    """Return 12 hex digits of the normalised question of a family's earliest member."""
    return _digest("family", text)[:12]


def assign_split(text: str, shares: Mapping[str, float]) -> str:
    """Return the split of a family from its text alone.

    Args:
        text: Normalised question of the family's earliest member.
        shares: Share by split name; they sum to 1.
    """
    place = int(_digest("split", text)[:12], 16) / 16**12
    passed = 0.0
    for split in SPLITS:
        passed += shares[split]
        if place < passed:
            return split
    return SPLITS[0]


def check_families(rows: pd.DataFrame) -> pd.DataFrame:
    """Check that no family stands in two splits and that only train has rewrites.

    A catalog `validator:` of `split_qa` and `augmented_qa`.

    Args:
        rows: Columns `row_id, family_id, split, style`.

    Returns:
        The same table.

    Raises:
        ValueError: A family straddles, or a held-out row was made by augmentation.
    """
    sides = rows.groupby("family_id")["split"].nunique()
    if (sides > 1).any():
        family = str(sides[sides > 1].index[0])
        members = rows[rows["family_id"] == family].drop_duplicates("split")
        where = ", ".join(
            f"{split} (row {row})"
            for split, row in zip(members["split"], members["row_id"], strict=True)
        )
        raise ValueError(
            f"family {family} straddles {where}: {int((sides > 1).sum())} families do; run the "
            "augmentation pipeline again, which splits by family"
        )
    made = rows[(rows["style"] != "original") & (rows["split"] != "train")]
    if len(made):
        raise ValueError(
            f"row {made['row_id'].iloc[0]} is a {made['style'].iloc[0]} rewrite in "
            f"{made['split'].iloc[0]}: only train is augmented; run the augmentation pipeline again"
        )
    return rows


def _akin(pair: Pair, keys: list[str], questions: list[str]) -> bool:
    one, other = pair.first, pair.second
    return keys[one] == keys[other] or names_agree(questions[one], questions[other])


def _same_question_pairs(keys: Sequence[str]) -> list[Pair]:
    first: dict[str, int] = {}
    return [
        Pair(first[key], row, 1.0)
        for row, key in enumerate(keys)
        if first.setdefault(key, row) != row
    ]


def _turn_pairs(questions: Sequence[str], asked_first: Sequence[str]) -> list[Pair]:
    """Return each conversation with the first row that asks what it asks at one of its turns."""
    first: dict[tuple[Message, ...], int] = {}
    pairs = []
    for row, question in [*enumerate(questions), *enumerate(asked_first)]:
        if (same := first.setdefault(_said(question), row)) != row:
            pairs.append(Pair(same, row, 1.0))
    for row, question in enumerate(questions):
        earlier = (first.get(_said(turn), row) for turn in earlier_questions(question))
        pairs += [Pair(other, row, 1.0) for other in earlier if other != row]
    return pairs


def _said(question: str) -> tuple[Message, ...]:
    """Return who says what in a question, normalised, without what the model is told before."""
    messages = read_transcript(question) or [("user", question)]
    return tuple(
        (role, question_key(without_letters(text))) for role, text in messages if role != "system"
    )


def _digest(purpose: str, text: str) -> str:
    return hashlib.sha256(f"{purpose}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()
