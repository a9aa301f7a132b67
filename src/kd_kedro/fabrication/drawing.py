"""Draws of items and rows that never ask the same question twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from kd_kedro.fabrication.templates import MONEY, Item, Template, draw_item
from kd_kedro.text.normalise import normalise

_TRIES = 60


@dataclass
class Row:
    """A row of the sheet on its way: what it asks and what is wrong with it."""

    item: Item
    question: str
    answer: str
    defects: list[str] = field(default_factory=list)
    expected: str = ""
    gradable: bool = False
    group: str = ""
    verdict: str = "Yes"
    correction: str = ""
    remarks: str = ""
    broken: str = ""

    @property
    def untouched(self) -> bool:
        """Whether nothing has been planted in the row yet."""
        return not self.defects and not self.group and self.verdict == "Yes"


def plain_row(item: Item) -> Row:
    """Return the row that asks an item as it is."""
    return Row(item, item.question, item.answer, gradable=item.template.gradable)


class Drawer:
    """Draws items from weighted templates, each question once."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._seen: set[str] = set()

    def claim(self, item: Item) -> bool:
        """Return whether the item asks something new, and remember that it was asked."""
        keys = {item.key, normalise(item.question.replace(MONEY, ""))}
        if keys & self._seen:
            return False
        self._seen |= keys
        return True

    def draw(
        self,
        count: int,
        templates: Sequence[tuple[Template, float]],
        wanted: Callable[[Item], bool] = lambda _item: True,
    ) -> list[Item]:
        """Return new items, templates drawn by weight and dropped when they run dry.

        Raises:
            ValueError: All templates ran dry before the count was reached.
        """
        pool, items = dict(enumerate(templates)), list[Item]()
        while len(items) < count:
            if not pool:
                raise ValueError(
                    f"the vocabulary yields {len(items)} of {count} different questions for "
                    f"'{templates[0][0].name}' and its like: lower fabrication.rows or add "
                    "lines to conf/base/fabrication/vocabulary.yml"
                )
            weights = [weight for _, weight in pool.values()]
            chosen = self.rng.choices(list(pool), weights)[0]
            item = self._new(pool[chosen][0], wanted)
            if item is None:
                del pool[chosen]
            else:
                items.append(item)
        return items

    def _new(self, template: Template, wanted: Callable[[Item], bool]) -> Item | None:
        for _ in range(_TRIES):
            item = draw_item(self.rng, template)
            if wanted(item) and self.claim(item):
                return item
        return None
