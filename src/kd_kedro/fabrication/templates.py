"""Templates of questions: one way of asking, with slots that a seeded draw fills."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

Slots = dict[str, str]
Vocabulary = Mapping[str, Any]

# Stands before each sum of money until it is settled whether the row shows a currency sign.
MONEY = "\ue000"


@dataclass(frozen=True)
class Template:
    """One way of asking, in several wordings that mean the same.

    Attributes:
        name: Its name in the truth table.
        topic: What it is about.
        wordings: Question templates over the slots; all hold the same numbers in one order.
        answer: Answer template over the slots.
        draw: Fills the slots.
        gradable: Whether the answer has one exact form.
        names: Slots with a proper name, which a decoy may exchange alone.
        cloze: A sentence with its fillings in double brackets, '' where none reads well.
        options: Wrong options for multiple choice, or None where none make sense.
        negate: Turns the slots into those of the negated question, or None.
    """

    name: str
    topic: str
    wordings: tuple[str, ...]
    answer: str
    draw: Callable[[Random], Slots]
    gradable: bool = True
    names: tuple[str, ...] = ()
    cloze: str = ""
    options: Callable[[Random, Slots], list[str]] | None = None
    negate: Callable[[Slots], Slots] | None = None


@dataclass(frozen=True)
class Item:
    """A question of a template with its slots filled."""

    template: Template
    slots: Slots = field(hash=False)
    wording: int = 0

    @property
    def question(self) -> str:
        """The question in the chosen wording."""
        return fill(self.template.wordings[self.wording], self.slots)

    @property
    def answer(self) -> str:
        """The right answer."""
        return fill(self.template.answer, self.slots)

    @property
    def topic(self) -> str:
        """The topic: that of the slots where the template spans several."""
        return self.slots.get("topic", self.template.topic)

    @property
    def key(self) -> str:
        """What the item asks, whatever its wording: equal keys are the same question."""
        return f"{self.template.name}: {fill(self.template.wordings[0], self.slots)}"


def draw_item(rng: Random, template: Template) -> Item:
    """Return a question of the template with drawn slots in a drawn wording."""
    return Item(template, template.draw(rng), rng.randrange(len(template.wordings)))


def fill(template: str, slots: Slots) -> str:
    """Return the template with its slots filled and its first letter raised."""
    text = template.format_map(slots)
    return text[:1].upper() + text[1:]


def money(amount: int) -> str:
    """Return a sum with thousands separators behind the mark for a currency sign."""
    return f"{MONEY}{amount:,}"


def amount(rng: Random) -> int:
    """Return a tidy sum: two leading digits and two or three zeros, seldom one zero."""
    return rng.randint(10, 99) * rng.choice((10, 100, 100, 100, 1000, 1000))


def firm(rng: Random, words: Vocabulary) -> str:
    """Return the name of a business."""
    return f"{rng.choice(words['surnames'])} {rng.choice(words['trades'])}"


def account(phrase: str) -> str:
    """Return a phrase as the title of an account: 'a delivery van' is 'Delivery Van'."""
    return re.sub(r"^(a|an|the) ", "", phrase).title()
