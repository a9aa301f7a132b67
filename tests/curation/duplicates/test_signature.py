import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.duplicates.neighbours import Pair
from kd_kedro.curation.duplicates.signature import (
    holds,
    names_agree,
    question_key,
    sides_agree,
    signature,
    unite,
)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("How much is 5 mW?", "How much is 5 MW?", False),
        ("How many mB is it?", "How many MB is it?", False),
        ("Is it 10Mb?", "Is it 10MB?", False),
        ("What is its pH?", "What is its PH?", False),
        ("What does `Map` hold?", "What does `map` hold?", False),
        ("Is 5 mM much?", "Is 5 mm much?", False),
        ("Is 5 MV much?", "Is 5 mV much?", False),
        ("Is it 10 Mbps?", "Is it 10 MBps?", False),
        ("What is the pH of blood?", "what is the ph of blood?", True),
        ("Is 5 mV much?", "is 5 mv much?", True),
        ("Is 10 Mbps or Gb/s fast?", "is 10 mbps or gb/s fast?", True),
        ("Is 8 GB enough?", "is 8 gb enough?", True),
        ("Is it at 5 PM on a PC?", "is it at 5 pm on a pc?", True),
        ("What does `useState` do?", "what does `usestate` do?", True),
        ("What does `SELECT` do?", "what does `select` do", True),
        ("What is VAT?", "what is vat", True),
        ("Is 5 kWh much?", "Is 5 KWH much?", True),
        ("What is JavaScript?", "What is Javascript?", True),
    ],
)
def test_case_makes_another_question_of_units_and_code_alone(one, other, same):
    assert (question_key(one) == question_key(other)) is same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rent paid Rs 500", "Rent paid Rs 600"),
        ("What is a 5% discount on 100?", "What is a 10% discount on 50?"),
        ("Which item is recorded?", "Which item is not recorded?"),
        ("Which account is debited?", "Which account is credited?"),
        ("Find 100 + 20", "Find 100 - 20"),
        ("What is shown before closing?", "What is shown after closing?"),
        ("Is 5 kg enough?", "Is 5 km enough?"),
        # MiniLM gives these pairs a cosine of 1: it does not know the words.
        ("ค่าเสื่อมราคาคืออะไร", "ค่าความนิยมคืออะไร"),
        ("什么是折旧?", "什么是商誉?"),
        ("什么是 GAAP 折旧?", "什么是 GAAP 商誉?"),
    ],
)
def test_signatures_differ_where_meaning_does(one, other):
    assert signature(one) != signature(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rent of Rs 12,500 was paid.", "Paid rent: Rs 12500"),
        ("Which item isn't recorded?", "Which item is not recorded?"),
        ("What is goodwill?", "Define the term goodwill."),
        ("Khấu hao là gì?", "Thế nào là khấu hao?"),
        ("Was ist β?", "Wie heißt β?"),
    ],
)
def test_signatures_agree_where_only_wording_differs(one, other):
    assert signature(one) == signature(other)


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("Rahul paid rent.", "Mohan paid rent.", False),
        ("Goods sold to Rahul.", "Goods sold to Mohan.", False),
        ("What is GST?", "What is VAT?", False),
        ("Rahul paid rent.", "Rent was paid by Rahul.", True),
        ("Depreciation is what?", "What is depreciation?", True),
        ("Define depreciation.", "What is depreciation?", True),
    ],
)
def test_names_must_stand_in_both(one, other, agree):
    assert names_agree(one, other) is agree
    assert names_agree(other, one) is agree


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("Debit Cash; Credit Sales.", "Debit Sales; Credit Cash.", False),
        ("Rent A/c Dr. To Cash A/c", "Cash A/c Dr. To Rent A/c", False),
        ("Cash is debited and sales is credited.", "Debit Cash; Credit Sales.", True),
        ("Cash is debited and sales is credited.", "Debit Sales; Credit Cash.", False),
        ("Debit Cash 500; Credit Sales 500.", "Debit: Cash 500. Credit: Sales 500.", True),
        ("Nothing of the kind.", "Debit Cash; Credit Sales.", True),
    ],
)
def test_sides_of_an_entry_are_not_exchanged(one, other, agree):
    assert sides_agree(one, other) is agree
    assert sides_agree(other, one) is agree


@pytest.mark.parametrize(
    ("short", "long", "held"),
    [
        ("It is an asset.", "It is an asset. It is shown at cost.", True),
        ("Yes.", "Yes, because it is owned.", True),
        (
            "Firms report profit, cash and capital.",
            "All firms report yearly profit, free cash and share capital.",
            True,
        ),
        ("It is an asset.", "It is an asset, but not of the firm.", False),
        ("It is an asset.", "It is an asset of nobody.", False),
        ("Firms report profit, cash and capital.", "Firms report capital, cash and profit.", False),
        (
            "Firms report 2 things: profit and cash.",
            "Firms report 3 things: profit and cash now.",
            False,
        ),
        (
            "Firms report profit, cash and capital.",
            "No firms report profit, cash and capital.",
            False,
        ),
        ("Yes.", "No.", False),
        ("Debit cash.", "Debit bank, credit cash.", False),
        ("Same.", "Same.", False),
        ("", "Something.", False),
    ],
)
def test_an_answer_holds_another_where_it_only_adds(short, long, held):
    assert holds(long, short) == int(held)
    assert holds(short, long) == -int(held)


def test_unite_closes_over_pairs():
    families = unite(5, [Pair(0, 3, 0.9), Pair(3, 4, 0.9)], lambda one, other: True)
    assert families == [[0, 3, 4], [1], [2]]


def test_unite_lets_no_chain_bring_together_what_disagrees():
    pairs = [Pair(0, 1, 0.99), Pair(1, 2, 0.98)]
    assert unite(3, pairs, lambda one, other: {one, other} != {0, 2}) == [[0, 1], [2]]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_unite_puts_every_row_in_one_family(links):
    pairs = [Pair(min(link), max(link), 1.0) for link in links if link[0] != link[1]]
    families = unite(10, pairs, lambda one, other: True)
    assert sorted(row for family in families for row in family) == list(range(10))


@given(st.text(), st.text())
def test_names_agree_with_themselves_and_both_ways(one, other):
    assert names_agree(one, one)
    assert names_agree(one, other) == names_agree(other, one)
    assert signature(one) == signature(one)
