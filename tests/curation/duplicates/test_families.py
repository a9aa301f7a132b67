import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_kedro.curation.duplicates.families import assign_split, check_families, split_rows
from kd_kedro.curation.duplicates.near_questions import (
    Nearness,
    asking_the_same,
    first_rows,
    search_questions,
)
from kd_kedro.curation.records.schema import SPLIT
from kd_kedro.text.normalise import normalise
from kd_kedro.text.transcript import write_transcript

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def embed(questions: list[str]) -> np.ndarray:
    """Return one random unit vector per normalised text: equal texts alone are near."""
    rows = []
    for question in questions:
        seed = int(hashlib.sha256(normalise(question).encode()).hexdigest()[:8], 16)
        rows.append(np.random.default_rng(seed).normal(size=64))
    matrix = np.array(rows, dtype=np.float32).reshape(len(questions), 64)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def sheet(questions: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row_id": [f"r{n}" for n in range(len(questions))],
            "line": [str(n + 2) for n in range(len(questions))],
            "question": questions,
            "answer": "a",
            "source": "s",
        },
        dtype="str",
    )


def split(rows: pd.DataFrame, vectors: np.ndarray | None = None) -> pd.DataFrame:
    vectors = embed(rows["question"].tolist()) if vectors is None else vectors
    near = asking_the_same(
        search_questions(rows, vectors, Nearness(0.9, 0.75), among=first_rows(rows)), rows
    )
    return split_rows(rows, near, SHARES)


QUESTIONS = st.lists(st.text("abc ?.", max_size=6), min_size=1, max_size=25)


@settings(deadline=None)
@given(QUESTIONS, QUESTIONS)
def test_a_row_keeps_its_side_when_the_sheet_grows(questions, more):
    before, after = split(sheet(questions)), split(sheet(questions + more))
    columns = ["row_id", "family_id", "split"]
    pd.testing.assert_frame_equal(before[columns], after[columns].head(len(before)))


@settings(deadline=None)
@given(QUESTIONS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(questions, random):
    rows = sheet(questions)
    order = list(range(len(rows)))
    random.shuffle(order)
    before = split(rows).set_index("row_id")
    after = split(rows.iloc[order].reset_index(drop=True)).set_index("row_id")
    pd.testing.assert_frame_equal(before, after.loc[before.index])


def test_near_questions_are_one_family_named_after_the_earliest():
    rows = sheet(["What is goodwill?", "Why?", "Define goodwill."])
    vectors = embed(rows["question"].tolist())
    vectors[2] = vectors[0]
    families = split(rows, vectors)["family_id"].tolist()
    assert families[0] == families[2] != families[1]
    assert families[0] == split(rows.head(1))["family_id"].iloc[0]


def test_opposites_are_two_families():
    rows = sheet(["What is an asset that grows?", "What is an asset that shrinks?"])
    vectors = embed(["one", "one"])
    assert split(rows, vectors)["family_id"].nunique() == 2


def test_what_equal_answers_would_merge_is_one_family():
    rows = sheet(["What is goodwill?", "Why does a good name pay?", "What else is there?"])
    cosine = 0.8
    vectors = np.eye(3, 4) * np.sqrt(1 - cosine)
    vectors[:, 3] = np.sqrt(cosine)
    rows["answer"] = ["The repute of a firm.", "the repute of a firm", "Nothing more than that."]
    families = split(rows, vectors.astype(np.float32))["family_id"].tolist()
    assert families[0] == families[1] != families[2]


def test_numbers_negations_and_names_part_families():
    rows = sheet(["Rent 500 paid", "Rent 600 paid", "Rent not paid", "To Rahul", "To Mohan"])
    vectors = np.tile(embed(["x"]), (5, 1))
    assert split(rows, vectors)["family_id"].nunique() == 5


def test_columns_and_style():
    table = split(sheet(["q1", "q2"]))
    assert list(table.columns) == SPLIT
    assert set(table["style"]) == {"original"}


def test_shares_hold():
    sides = pd.Series([assign_split(f"text {n}", SHARES) for n in range(5000)]).value_counts()
    assert sides["train"] / 5000 == pytest.approx(0.8, abs=0.02)
    assert sides["test"] / 5000 == pytest.approx(0.1, abs=0.02)


def test_a_straddling_family_is_named():
    table = split(sheet(["q1", "q1"]))
    assert check_families(table) is table
    table.loc[1, "split"] = "test" if table["split"][0] != "test" else "train"
    with pytest.raises(ValueError, match=f"family {table['family_id'][0]} straddles .*r0.*r1"):
        check_families(table)


def test_a_rewrite_outside_train_is_named():
    table = split(sheet(["q1"])).assign(split="test", style="typo")
    with pytest.raises(ValueError, match="row r0 is a typo rewrite in test"):
        check_families(table)


def test_an_empty_table_passes():
    table = split(sheet(["q1"])).head(0)
    assert check_families(table) is table


def talk(*said: str) -> str:
    """Return what is asked where user and assistant say this in turns."""
    return write_transcript(zip(("user", "assistant") * len(said), said, strict=False))


FIRST, SECOND = ("What is rent?", "A cost."), ("And interest?", "A cost, too.")
ASKS_FIRST = FIRST[0]
ASKS_SECOND = talk(*FIRST, SECOND[0])
ASKS_THIRD = talk(*FIRST, *SECOND, "Why?")


@pytest.mark.parametrize(
    ("questions", "families"),
    [
        ([ASKS_FIRST, ASKS_SECOND, ASKS_THIRD], 1),
        ([ASKS_THIRD, "what is  RENT", "What else?"], 2),
        ([ASKS_THIRD, f"⟦system⟧ Be brief.\n{ASKS_SECOND}"], 1),
        ([f"⟦system⟧ Be brief.\n{ASKS_THIRD}", ASKS_FIRST], 1),
        ([f"⟦system⟧ Be brief.\n{ASKS_SECOND}", f"⟦system⟧ Be long.\n{ASKS_SECOND}"], 1),
        # Conversations with the same first question alone are two.
        ([ASKS_SECOND, talk(FIRST[0], "I do not know.", "Why?")], 2),
        ([ASKS_SECOND, talk(*FIRST, "Why?")], 2),
        # A row that asks that question brings them together.
        ([ASKS_SECOND, talk(FIRST[0], "I do not know.", "Why?"), FIRST[0]], 1),
        # What the assistant says, and what is asked last, is no question of a row.
        ([ASKS_THIRD, SECOND[0], "A cost.", "Why?"], 4),
        # Values are told apart only where a text has several.
        ([talk("To [EMAIL A]?", "No.", "To [EMAIL B]?"), "To [EMAIL]?"], 1),
    ],
)
def test_what_a_conversation_asks_on_its_way_is_of_its_family(questions, families):
    assert split(sheet(questions))["family_id"].nunique() == families


def test_a_question_is_known_by_its_first_wording_too():
    rows = sheet([ASKS_THIRD, "Please tell: what is rent?", "Why?"])
    assert split_rows(rows, [], SHARES)["family_id"].nunique() == 3
    families = split_rows(rows, [], SHARES, [ASKS_THIRD, ASKS_FIRST, "Why?"])["family_id"]
    assert families[0] == families[1] != families[2]
