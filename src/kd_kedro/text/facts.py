"""What a text states that similarity overlooks: numbers with units, polarity, names.

The one reader for whoever asks whether two texts say the same: the signature by which
deduplication keeps rows apart, and the gates that a rewrite has to pass.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kd_kedro.text.names import names
from kd_kedro.text.polarity import direction_words, negation_count
from kd_kedro.text.quantities import Quantity, currencies, operators, plain, quantities


@dataclass(frozen=True)
class Facts:
    """What a text states.

    Attributes:
        quantities: Its numbers with their units, in their order.
        currencies: The currencies it names, whether beside a number or not.
        operators: Number of times that each sign of calculation stands in it.
        negations: Number of its negating words.
        directions: Its words that have an opposite (debit, credit).
        names: Its named entities, case-folded.
    """

    quantities: tuple[Quantity, ...]
    currencies: frozenset[str]
    operators: Mapping[str, int]
    negations: int
    directions: frozenset[str]
    names: frozenset[str]

    @property
    def values(self) -> Counter[str]:
        """How often each number stands there; a word that may be no number does not count."""
        return Counter(each.value for each in self.quantities if not each.loose)

    @property
    def units(self) -> Counter[str]:
        """How often each unit or currency stands beside a number."""
        return Counter(each.unit for each in self.quantities if each.unit and not each.loose)


@lru_cache(maxsize=200_000)
def read_facts(text: str) -> Facts:
    """Return what a text states that similarity overlooks."""
    small = plain(text)
    return Facts(
        tuple(quantities(text)),
        frozenset(currencies(small)),
        operators(small),
        negation_count(text),
        direction_words(text),
        frozenset(names(text)),
    )
