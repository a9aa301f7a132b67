import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.text.opposites import are_forms, are_opposites

WORDS = st.text("abeinrstu", min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("closed", "opens"),  # listed, in any form
        ("bigger", "smallest"),
        ("richer", "poorest"),
        ("stopped", "starting"),
        ("read", "write"),
        ("mieux", "pire"),
        ("advantages", "drawback"),  # poles that rewriting may not exchange either
        ("secured", "unsecured"),  # one stem behind prefixes, or behind one and none
        ("convertible", "non-convertible"),
        ("hypertension", "hypotension"),
        ("inflows", "outflow"),
        ("käufer", "verkäufer"),
        ("harmful", "harmless"),  # one stem before endings
        ("employers", "employees"),
    ],
)
def test_opposites(one: str, other: str) -> None:
    assert are_opposites(one, other)
    assert are_opposites(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("open", "opening"),
        ("buy", "purchase"),
        ("convert", "reconvert"),
        ("for", "fees"),  # "f" is no stem
        ("lender", "lend"),
    ],
)
def test_no_opposites(one: str, other: str) -> None:
    assert not are_opposites(one, other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("bigger", "big", True),
        ("companies", "company", True),
        ("uses", "using", True),
        ("labour", "labor", True),
        ("organise", "organized", True),
        ("book-keeping", "bookkeeping", True),
        ("recieve", "receive", True),
        ("beautful", "beautiful", True),
        ("occasional", "ocassional", False),  # two slips
        ("print", "printf", False),  # a slip at the end is another name
        ("malloc", "calloc", False),
        ("nitrate", "nitrite", False),  # another letter makes another word
        ("trail", "trial", False),  # short words that are one slip apart are two words
        ("then", "than", False),
    ],
)
def test_forms_of_one_word(one: str, other: str, same: bool) -> None:
    assert are_forms(one, other) is same


@given(WORDS, WORDS)
def test_both_ways_alike(one: str, other: str) -> None:
    assert are_opposites(one, other) == are_opposites(other, one)
    assert are_forms(one, other) == are_forms(other, one)
    assert are_forms(one, one)
    assert not are_opposites(one, one)
