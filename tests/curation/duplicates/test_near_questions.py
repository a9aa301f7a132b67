"""Near questions that were searched once say what a search of its own would."""

import numpy as np
import pandas as pd

from kd_kedro.curation.duplicates.near_questions import (
    MOST_ANSWERS,
    NEAR_PAIRS,
    Nearness,
    asking_the_same,
    find_near_survivors,
    first_rows,
    read_pairs,
    search_questions,
    searched_rows,
    write_pairs,
)
from kd_kedro.curation.duplicates.neighbours import NEIGHBOURS

WIDE, NARROW = Nearness(0.9, 0.75), Nearness(0.95, 0.85)


def sheet(questions: list[str], answers: list[str]) -> pd.DataFrame:
    rows = pd.DataFrame({"question": questions, "answer": answers}, dtype="str")
    return rows.assign(row_id=[f"r{n}" for n in range(len(rows))])


def near_one(rows: int, apart: float) -> np.ndarray:
    """Return unit vectors round a common one, most of them with a cosine between 0.7 and 1."""
    rng = np.random.default_rng(0)
    spread = rng.uniform(0, apart, size=(rows, 1)) * rng.normal(size=(rows, 8))
    vectors = np.eye(1, 8) + spread
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


VERBS = "describe discuss explain illustrate indicate identify mention outline specify state"
ADVERBS = "actually basically briefly exactly just kindly please really simply"
SHEET = sheet(
    [f"{adverb} {verb} what a thing is" for adverb in ADVERBS.split() for verb in VERBS.split()],
    [("A thing of three words.", "Another.", "It has 4 wheels.")[n % 3] for n in range(90)],
)
VECTORS = near_one(90, 0.4)
TABLE = write_pairs(search_questions(SHEET, VECTORS, WIDE), SHEET["row_id"].tolist())


def survivors(rows: pd.DataFrame, vectors: np.ndarray) -> tuple[list, list]:
    """Return what the table and a new look say of rows, and what a search among them says."""
    return (
        find_near_survivors(rows, SHEET, TABLE, vectors, WIDE),
        asking_the_same(search_questions(rows, vectors, WIDE, among=first_rows(rows)), rows),
    )


def as_set(pairs: list) -> dict[tuple[int, int], float]:
    return {(pair.first, pair.second): round(pair.similarity, 5) for pair in pairs}


def test_a_table_read_from_higher_thresholds_is_a_search_with_them():
    found = asking_the_same(search_questions(SHEET, VECTORS, NARROW), SHEET)
    assert list(TABLE.columns) == NEAR_PAIRS
    assert 0 < len(found) < len(TABLE)
    read = read_pairs(TABLE, SHEET, NARROW)
    assert as_set(read) == as_set(found)
    assert [pair.similarity for pair in read] == sorted(
        (pair.similarity for pair in read), reverse=True
    )
    # Written and read again, a cosine has lost no digit.
    assert {float(text) for text in TABLE["cosine"]} >= {pair.similarity for pair in read}


def test_equal_answers_need_be_less_near():
    rows = sheet(["What is it?", "Describe it.", "Define it."], ["It has 4 wheels."] * 2 + ["No."])
    vectors = np.hstack([np.full((3, 1), 0.8**0.5), np.eye(3) * 0.2**0.5]).astype(np.float32)
    found = asking_the_same(search_questions(rows, vectors, WIDE), rows)
    assert [pair[:2] for pair in found] == [(0, 1)]
    read = read_pairs(write_pairs(found, ["r0", "r1", "r2"]), rows, Nearness(0.9, 0.85))
    assert not read


def test_a_pair_found_is_left_out_where_its_wording_makes_it_two_questions():
    rows = sheet(
        ["What is a secured loan?", "What is an unsecured loan?"], ["It has 4 wheels."] * 2
    )
    vectors = np.ones((2, 1), np.float32)
    found = search_questions(rows, vectors, WIDE)
    assert [pair[:2] for pair in found] == [(0, 1)]
    assert asking_the_same(search_questions(rows, vectors, WIDE), rows) == []
    near = write_pairs(found, ["r0", "r1"])
    assert asking_the_same(read_pairs(near, rows, WIDE), rows) == []
    # The split keeps them together all the same.
    assert find_near_survivors(rows, rows, near, vectors, WIDE) == found


def test_code_that_differs_in_capitals_is_not_one_question():
    rows = sheet(
        ["What does git branch -d do?", "What does git branch -D do?"], ["It has gone."] * 2
    )
    assert first_rows(rows) == [0, 1]


def test_what_is_left_and_unchanged_is_not_searched_for_again():
    few = SHEET.iloc[::5].reset_index(drop=True)
    near = write_pairs(search_questions(few, VECTORS[::5], WIDE), few["row_id"].tolist())
    left, vectors = few.drop(index=[1, 4]).reset_index(drop=True), np.zeros((16, 8), np.float32)
    found = find_near_survivors(left, few, near, vectors, WIDE)
    assert found == read_pairs(near, left, WIDE)
    assert 0 < len(found) < len(near)


def test_a_question_asked_differently_is_searched_for_again():
    rows, vectors = SHEET.copy(), VECTORS.copy()
    rows.loc[7, "question"], vectors[7] = "Tell me of things!", VECTORS[60]
    found, exact = survivors(rows, vectors)
    assert as_set(found) == as_set(exact)
    assert any(7 in pair[:2] for pair in found)


def test_a_copy_that_outlived_the_first_row_is_searched_for():
    rows = pd.concat([SHEET, SHEET.head(1).assign(row_id="copy")], ignore_index=True)
    vectors = np.vstack([VECTORS, VECTORS[:1]])
    near = write_pairs(search_questions(rows, vectors, WIDE), rows["row_id"].tolist())
    assert "copy" not in {*near["row_id"], *near["neighbour_id"]}
    left = rows.iloc[1:].reset_index(drop=True)
    found = find_near_survivors(left, rows, near, vectors[1:], WIDE)
    exact = asking_the_same(search_questions(left, vectors[1:], WIDE, among=first_rows(left)), left)
    assert as_set(found) == as_set(exact)
    assert any(89 in pair[:2] for pair in found)


def test_a_row_whose_kept_neighbours_are_gone_finds_those_that_are_left():
    partners = pd.concat([TABLE["row_id"], TABLE["neighbour_id"]]).value_counts()
    crowded = str(partners.index[0])
    assert partners.iloc[0] > NEIGHBOURS
    known = TABLE[(TABLE["row_id"] == crowded) | (TABLE["neighbour_id"] == crowded)]
    gone = {*known["row_id"], *known["neighbour_id"]} - {crowded}
    left = ~SHEET["row_id"].isin(sorted(gone)[::2])
    found, exact = survivors(SHEET[left].reset_index(drop=True), VECTORS[left.to_numpy()])
    assert as_set(found) == as_set(exact)


def test_copies_and_questions_with_many_answers_are_passed_over():
    many = MOST_ANSWERS + 1
    rows = sheet(
        ["Why?", "why", "What?", *["Which?"] * many],
        ["So.", "so", "That.", *[f"Number {n}." for n in range(many)]],
    )
    assert first_rows(rows)[:3] == [0, 2, 3]
    assert searched_rows(rows) == [0, 2, 3]


def test_a_conversation_is_asked_again_by_an_equal_one_alone():
    said = "⟦user⟧ What is it?\n⟦assistant⟧ A wheel.\n⟦user⟧ And what"
    rows = sheet([f"{said} is that?", f"{said} is that now?", "What is it?"], ["A."] * 3)
    vectors = np.ones((3, 1), np.float32)
    found = search_questions(rows, vectors, WIDE)
    assert len(found) == 3
    assert asking_the_same(found, rows) == []
