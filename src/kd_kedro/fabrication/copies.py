"""Rows made from earlier rows: duplicates, look-alikes that are none, contradictions."""

import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from kd_kedro.fabrication import damage
from kd_kedro.fabrication.drawing import Drawer, Row, plain_row
from kd_kedro.fabrication.templates import Item, draw_item


def exact_duplicate(rng: Random, row: Row) -> Row:
    """Return a copy of the row, with or without the reviewer's remark."""
    return replace(
        row, defects=["exact_duplicate"], remarks=rng.choice(("", "repetition_q&a", "repetition"))
    )


def near_duplicate(rng: Random, row: Row) -> Row:
    """Return the row's question in other words, or with other case, punctuation or spacing."""
    wordings = len(row.item.template.wordings)
    if wordings > 1 and rng.random() < 0.6:
        other = rng.choice([w for w in range(wordings) if w != row.item.wording])
        item = replace(row.item, wording=other)
        question = item.question
    else:
        item, question = row.item, damage.retouch(rng, row.question)
    return replace(
        row,
        item=item,
        question=question,
        defects=["near_duplicate"],
        remarks=rng.choice(("", "", "repetition_q&a")),
    )


def decoy(drawer: Drawer, row: Row) -> Row | None:
    """Return a row that differs in numbers, a name or a negation only, or None if there is none."""
    for _ in range(30):
        item = _other_item(drawer.rng, row.item)
        if item is not None and item.question != row.question and drawer.claim(item):
            return replace(plain_row(item), defects=["decoy"])
    return None


def contradiction(rng: Random, row: Row, others: Sequence[Row]) -> Row:
    """Return the row's question with another answer of the same kind."""
    swapped = re.sub(
        r"^Debit (.+) (\S+); Credit (.+) (\S+)\.$", r"Debit \3 \2; Credit \1 \4.", row.answer
    )
    if swapped == row.answer or rng.random() < 0.5:
        answers = {
            other.answer for other in others if other.item.template.name == row.item.template.name
        }
        swapped = rng.choice(sorted(answers - {row.answer}) or [f"Not {row.answer}"])
    return replace(row, answer=swapped, defects=["contradictory"], gradable=False)


def _other_item(rng: Random, item: Item) -> Item | None:
    """Return the item with a negation, a name or its numbers exchanged."""
    template, redrawn = item.template, draw_item(rng, item.template).slots
    if template.negate is not None and rng.random() < 0.7:
        return replace(item, slots=template.negate(item.slots))
    if template.names and rng.random() < 0.4:
        name = rng.choice(template.names)
        return replace(item, slots=item.slots | {name: redrawn[name]})
    if "amount" in item.slots:
        return replace(item, slots=item.slots | {"amount": redrawn["amount"]})
    if "firm" in item.slots and ("result" in item.slots or "working" in item.slots):
        return replace(item, slots=redrawn | {"firm": item.slots["firm"]})
    return None
