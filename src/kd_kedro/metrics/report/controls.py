"""Answers that need no model: what any system must beat before its score means anything."""

from collections import Counter
from collections.abc import Sequence

import numpy as np


def majority_answer(train_answers: Sequence[str]) -> str:
    """Return the answer that the train split gives most often, the first in the alphabet of equals.

    Raises:
        ValueError: There is none.
    """
    if not train_answers:
        raise ValueError("augmented_qa has no row in the train split: there is no majority answer")
    counts = Counter(train_answers)
    return min(counts, key=lambda answer: (-counts[answer], answer))


def shuffled_answers(
    references: Sequence[str], family_ids: Sequence[str], *, seed: int
) -> list[str]:
    """Return for each row the reference of a row of another family, each used once where it can be.

    What a metric gives these is what it gives for the right style alone. A single family has no
    other: its rows get ''.

    Args:
        references: The right answers.
        family_ids: The family of each.
        seed: Seed of the order.
    """
    families = np.unique(np.asarray(family_ids), return_inverse=True)[1]
    rank = np.random.default_rng(seed).permutation(families.max() + 1)
    # Families lie in blocks; a turn by the largest block brings every row out of its own.
    order = np.argsort(rank[families], kind="stable")
    largest = int(np.bincount(families).max())
    given = [""] * len(references)
    if largest * 2 > len(references):  # no turn can do it: each takes the next row of another
        for row in range(len(references)):
            others = [other for other in order if families[other] != families[row]]
            given[row] = references[others[row % len(others)]] if others else ""
        return given
    for row, other in zip(order, np.roll(order, largest), strict=True):
        given[row] = references[other]
    return given
