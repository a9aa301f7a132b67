import pytest

from kd_kedro.text.facts import read_facts
from kd_kedro.text.polarity import DECISIVE


def test_facts_of_a_text():
    facts = read_facts(
        "Which account isn't debited as Rahul pays Rs 1,500 and 5% of $2 + one more?"
    )
    assert dict(facts.values) == {"1500": 1, "5": 1, "2": 1}
    assert dict(facts.units) == {"₹": 1, "%": 1, "$": 1}
    assert facts.currencies == {"₹", "$"}
    assert dict(facts.operators) == {"+": 1}
    assert facts.negations == 1
    assert {"debited", "pays", "more"} <= facts.directions
    assert facts.names == {"rahul", "rs"}


@pytest.mark.parametrize(
    ("one", "other"),
    [("Rs 1,000", "one thousand rupees"), ("5 per cent", "5%"), ("He cannot pay", "He can't pay")],
)
def test_two_ways_to_write_a_fact_are_one_fact(one, other):
    first, second = read_facts(one), read_facts(other)
    assert (first.values, first.units, first.negations) == (
        second.values,
        second.units,
        second.negations,
    )


def test_every_word_that_decides_is_read_as_one_with_an_opposite():
    assert read_facts(" ".join(sorted(DECISIVE))).directions == DECISIVE
