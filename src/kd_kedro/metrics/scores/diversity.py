"""How varied and how long a model's answers are: descriptions without a verdict."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.scores.overlap import words

REPEATED = 3  # words in an n-gram whose repetition is counted


@dataclass(frozen=True)
class Description:
    """What is told of a model's answers without a verdict on it.

    Attributes:
        name: Its name in JSON products.
        title: Its name as people read it.
        describe: Takes answers and references, returns a number, None where there is none.
        signature: Says exactly what was computed.
        percent: A share, shown in percent.
    """

    name: str
    title: str
    describe: Callable[[Sequence[str], Sequence[str]], float | None]
    signature: str
    percent: bool = False


def describe_runs(runs: Mapping[tuple[str, str], pd.DataFrame]) -> dict[str, dict[str, Any]]:
    """Return how every model writes, beside the references.

    Args:
        runs: By (model, seed) its rows of `validation_results`.

    Returns:
        By description: the mean over its seeds of each of teacher, baseline, student and
        reference, `controls` by model, and signature; None where there is nothing to count.
    """
    references = list(next(iter(runs.values()))["reference"])
    told = {}
    for each in DESCRIPTIONS:
        found: dict[str, list[float | None]] = {}
        for (model, _), rows in runs.items():
            number = each.describe(list(rows["prediction"]), list(rows["reference"]))
            found.setdefault(model, []).append(number)
        means = {model: _mean(numbers) for model, numbers in found.items()}
        judged = {model: means.pop(model, None) for model in ("teacher", "baseline", "student")}
        told[each.name] = {
            **judged,
            "reference": each.describe(references, references),
            "controls": means,
            "signature": each.signature,
        }
    return told


def distinct(answers: Sequence[str], n: int) -> float | None:
    """Return the share of different n-grams among all n-grams of the answers (Li et al. 2016).

    Returns:
        0 to 1; None where no answer has n words.
    """
    counts = Counter(gram for answer in answers for gram in _ngrams(answer, n))
    return len(counts) / counts.total() if counts else None


def repetition(answers: Sequence[str]) -> float | None:
    """Return the share of 3-grams that their own answer had before (rep-3, Su et al. 2022).

    Returns:
        0 to 1; None where no answer has three words.
    """
    total = seen_before = 0
    for answer in answers:
        grams = _ngrams(answer, REPEATED)
        total += len(grams)
        seen_before += len(grams) - len(set(grams))
    return seen_before / total if total else None


def length_ratio(answers: Sequence[str], references: Sequence[str]) -> float | None:
    """Return the words of all answers for each word of the references; None without one."""
    given = sum(len(words(reference)) for reference in references)
    return sum(len(words(answer)) for answer in answers) / given if given else None


DESCRIPTIONS = (
    Description(
        "distinct_1",
        "distinct words",
        lambda answers, _: distinct(answers, 1),
        "different words / words, over all answers",
        percent=True,
    ),
    Description(
        "distinct_2",
        "distinct word pairs",
        lambda answers, _: distinct(answers, 2),
        "different pairs of neighbouring words / pairs, over all answers",
        percent=True,
    ),
    Description(
        "repetition",
        "repetition",
        lambda answers, _: repetition(answers),
        f"share of {REPEATED}-grams of words that stood in their own answer before",
        percent=True,
    ),
    Description(
        "length_ratio",
        "length ratio",
        length_ratio,
        "words of the answers / words of the references",
    ),
)


def _mean(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return float(np.mean(known)) if known else None


def _ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    found = words(text)
    return [tuple(found[start : start + n]) for start in range(len(found) - n + 1)]
