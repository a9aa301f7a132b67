import numpy as np
import pandas as pd
import pytest

from kd_kedro.curation.duplicates.conflicts import (
    CONFLICT,
    EXACT,
    HELD,
    NEAR,
    SAME_QUESTION,
    find_duplicates,
)
from kd_kedro.curation.duplicates.deduplication_config import Thresholds
from kd_kedro.curation.duplicates.near_questions import (
    MOST_ANSWERS,
    Nearness,
    asking_the_same,
    search_questions,
)
from kd_kedro.curation.duplicates.neighbours import Pair


def find(rows: list[tuple[str, str]], question_cosine=0.0, answer_cosine=0.0, **options):
    """Deduplicate rows whose texts are all at one cosine from each other."""
    table = pd.DataFrame(rows, columns=["question", "answer"])
    table.insert(0, "row_id", [f"r{n}" for n in range(len(rows))])
    questions = vectors(len(rows), question_cosine)
    return find_duplicates(
        table,
        asking_the_same(search_questions(table, questions, Nearness(0.9, 0.75)), table),
        questions,
        vectors(len(rows), answer_cosine),
        Thresholds(
            same_question_threshold=0.98,
            question_threshold=0.9,
            equal_answer_threshold=0.75,
            answer_threshold=0.85,
        ),
        **options,
    )


def vectors(rows: int, cosine: float) -> np.ndarray:
    """Return unit vectors that share a part of squared length `cosine` and differ in the rest."""
    own = np.eye(rows) * np.sqrt(1 - cosine)
    return np.hstack([np.full((rows, 1), np.sqrt(cosine)), own]).astype(np.float32)


def test_exact_duplicates_leave_the_earliest():
    found = find([("What is it?", "A thing"), ("what  is it", "a thing."), ("Why?", "So")])
    assert found.survivor == {1: 0}
    assert found.reason == {1: EXACT}
    assert not found.conflict


@pytest.mark.parametrize("answers", [("It is a loan.",) * 3, ("Land.", "Land.", "A good name.")])
def test_opposites_are_neither_merged_nor_set_aside(answers):
    questions = (
        "What is a secured loan?",
        "What is an unsecured loan?",
        "Define an unsecured loan.",
    )
    table = pd.DataFrame({"row_id": ["a", "b", "c"], "question": questions, "answer": answers})
    pairs = [Pair(0, 1, 0.999), Pair(0, 2, 0.998), Pair(1, 2, 0.997)]
    found = find_duplicates(table, pairs, vectors(3, 0.99), vectors(3, 0.5), Thresholds())
    assert 0 not in {*found.survivor, *found.survivor.values(), *found.conflict}
    assert {*found.survivor, *found.conflict} & {1, 2}


def test_code_that_differs_in_capitals_alone_is_not_the_same_question():
    rows = [("What does git branch -d do?", "It deletes."), ("What does git branch -D do?", "So.")]
    assert not find(rows).conflict
    assert not find([(question, "It deletes it.") for question, _ in rows], 0.99).survivor


def test_reviewed_rows_survive_before_earlier_ones_and_mended_before_all():
    rows = [("q?", "a")] * 3
    assert find(rows, reviewed={"r1"}).survivor == {0: 1, 2: 1}
    assert find(rows, reviewed={"r1"}, mended={"r2"}).survivor == {0: 2, 1: 2}


def test_same_question_with_agreeing_answers_is_a_duplicate():
    rows = [("q?", "It is recorded at cost."), ("q?", "It is entered at cost.")]
    assert find(rows, answer_cosine=0.9).reason == {1: SAME_QUESTION}


def test_same_question_with_other_answers_goes_to_a_person():
    rows = [("q?", "It is 500."), ("q?", "It is 600."), ("other?", "x")]
    found = find(rows, answer_cosine=0.99)
    assert found.reason == {0: CONFLICT, 1: CONFLICT}
    assert found.conflict[0] == found.conflict[1]
    assert not found.survivor


def test_a_negated_answer_is_a_conflict_however_near():
    rows = [("q?", "It is recorded."), ("q?", "It is not recorded.")]
    assert set(find(rows, answer_cosine=0.99).conflict) == {0, 1}


def test_an_entry_turned_round_is_a_conflict_however_near():
    rows = [
        ("q?", "Debit Cash 500; Credit Sales 500."),
        ("q?", "Debit Sales 500; Credit Cash 500."),
    ]
    assert set(find(rows, answer_cosine=0.99).conflict) == {0, 1}


def test_an_answer_that_another_holds_is_merged_into_it():
    short, long = "Going concern and accrual.", "Going concern and accrual. Both are assumed."
    found = find([("q?", short), ("q?", long)])
    assert found.survivor == {0: 1}
    assert found.reason == {0: HELD}
    assert not found.conflict
    # A person's row stays all the same.
    assert find([("q?", short), ("q?", long)], mended={"r0"}).survivor == {1: 0}


def test_the_evidence_names_neighbour_similarity_and_threshold():
    near = find(
        [("What is goodwill?", "An asset of repute."), ("Define goodwill.", "Repute, an asset.")],
        0.95,
        0.9,
    )
    assert near.link[1].neighbour == 0
    assert near.link[1].similarity == pytest.approx(0.95)
    assert near.link[1].threshold == 0.9
    conflict = find([("q?", "one"), ("q?", "two")], answer_cosine=0.5)
    assert conflict.link[1].neighbour == 0
    assert conflict.link[1].similarity == pytest.approx(0.5)
    assert conflict.link[1].threshold == 0.85
    assert find([("q?", "same"), ("q?", "same")]).link[1].threshold is None


def test_questions_as_good_as_equal_conflict_too():
    rows = [("What is goodwill?", "one"), ("What is the goodwill?", "two")]
    assert set(find(rows, 0.99).conflict) == {0, 1}
    assert not find(rows, 0.95).conflict
    assert not find([("Is goodwill sold?", "one"), ("Is VAT sold?", "two")], 0.99).conflict


def test_a_row_merged_elsewhere_still_contradicts_its_own_question():
    rows = [
        ("What is goodwill?", "An asset of repute."),
        ("Define goodwill.", "an asset of repute"),
        ("Define goodwill.", "A liability of 500."),
    ]
    found = find(rows, 0.95)
    assert set(found.conflict) == {0, 1, 2}
    assert len(set(found.conflict.values())) == 1
    assert not found.survivor


def test_the_mended_row_of_a_conflict_stays():
    rows = [("q?", "one"), ("q?", "two"), ("q?", "three")]
    assert set(find(rows, mended={"r1"}).conflict) == {0, 2}
    assert set(find(rows, mended={"r0", "r1"}).conflict) == {0, 1, 2}


def test_a_copy_of_a_row_in_conflict_is_set_aside_with_it():
    rows = [("q?", "one"), ("q?", "one"), ("q?", "two")]
    found = find(rows)
    assert set(found.conflict) == {0, 1, 2}
    assert not found.survivor


def test_near_questions_merge_where_answers_agree():
    rows = [("What is goodwill?", "An asset of repute."), ("Define goodwill.", "Repute, an asset.")]
    assert find(rows, 0.95, 0.9).reason == {1: NEAR}
    assert not find(rows, 0.95, 0.5).reason
    assert not find(rows, 0.85, 0.9).reason


def test_equal_answers_are_evidence_unless_they_are_short():
    rows = [("What is goodwill?", "An asset of repute."), ("Explain it.", "An asset of repute.")]
    assert find(rows, 0.8).reason == {1: NEAR}
    assert not find([(question, "Yes") for question, _ in rows], 0.8).reason


def test_200_journal_entries_that_differ_in_a_number_or_a_name_stay_apart():
    numbers = [
        (f"Journalise: Rahul paid rent of {n} in cash.", "Dr Rent Cr Cash") for n in range(100)
    ]
    names = [
        (f"Journalise: N{chr(97 + n // 26)}{chr(97 + n % 26)} paid rent of 500.", "Dr Rent Cr Cash")
        for n in range(100)
    ]
    found = find(numbers + names, 0.98, 0.98)
    assert not found.survivor
    assert not found.conflict
    assert set(found.shared_answer) == set(range(200))


def test_shared_answers_are_listed_and_stay():
    found = find([("What is it?", "A thing"), ("What else?", "a thing"), ("Why?", "So")])
    assert set(found.shared_answer) == {0, 1}
    assert not found.survivor


def test_one_question_with_very_many_answers_is_one_conflict():
    rows = 3 * MOST_ANSWERS
    found = find([("What is asked?", f"Answer {n}") for n in range(rows)] * 2)
    assert set(found.conflict.values()) == {1}
    assert len(found.conflict) == 2 * rows
    assert not found.survivor


def test_very_many_copies_leave_the_earliest():
    found = find([("What is asked?", "A thing, told in words.")] * 2000)
    assert found.survivor == dict.fromkeys(range(1, 2000), 0)
