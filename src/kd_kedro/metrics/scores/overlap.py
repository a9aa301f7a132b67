"""What an answer shares with its reference: characters (chrF), words in order (ROUGE), words (F1).

Words are Unicode's: letters with their marks and digits of every script, in small letters. A
script that writes no spaces has a word for each of its characters, as sacrebleu cuts Chinese.
"""

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from kd_kedro.metrics.scores.exact_match import exact_match
from kd_kedro.metrics.statistics.significance import Floats
from kd_kedro.text.words import word_pattern

ROUGE = ("rouge1", "rouge2", "rougeL")
_CHRF_ORDERS = 6
_CHRF_BETA = 2
_DASHES = str.maketrans("−–‐‑", "----")


def chrf_statistics(predictions: Sequence[str], references: Sequence[str]) -> Floats:
    """Return sacrebleu's sufficient statistics of chrF for each row.

    Returns:
        Shape (rows, 18): for n-grams of 1 to 6 characters those of the prediction, those of the
        reference, and those they share.
    """
    if not predictions:
        return np.zeros((0, 3 * _CHRF_ORDERS))
    rows = _sacrebleu()._extract_corpus_statistics(list(predictions), [list(references)])
    return np.asarray(rows, dtype=np.float64).reshape(-1, 3 * _CHRF_ORDERS)


def chrf(sums: Floats) -> Floats:
    """Return corpus chrF, 0 to 100, from summed statistics as sacrebleu does (Popović 2015).

    Precision and recall are means over the orders that both sides have; recall counts twice.

    Args:
        sums: (…, 18), columns as in `chrf_statistics`.
    """
    predicted, given, shared = (sums[..., start::3] for start in range(3))
    usable = (predicted > 0) & (given > 0)
    orders = np.maximum(usable.sum(axis=-1), 1)
    precision = np.where(usable, shared / np.maximum(predicted, 1), 0.0).sum(axis=-1) / orders
    recall = np.where(usable, shared / np.maximum(given, 1), 0.0).sum(axis=-1) / orders
    weight = _CHRF_BETA**2
    below = weight * precision + recall
    above = 100 * (1 + weight) * precision * recall
    scores: Floats = np.divide(above, below, out=np.zeros_like(below), where=below > 0)
    return scores


def chrf_signature() -> str:
    """Return sacrebleu's signature of the chrF computed here."""
    metric = _sacrebleu()
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def rouge(predictions: Sequence[str], references: Sequence[str]) -> Floats:
    """Return ROUGE-1, ROUGE-2 and ROUGE-L of each row as F values, 0 to 1 (Lin 2004).

    Returns:
        Shape (rows, 3); 0 where a side has no word.
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGE), tokenizer=_Words())
    rows = []
    for prediction, reference in zip(predictions, references, strict=True):
        scores = scorer.score(reference, prediction)
        rows.append([scores[name].fmeasure for name in ROUGE])
    return np.asarray(rows, dtype=np.float64).reshape(-1, len(ROUGE))


def rouge_signature(name: str) -> str:
    """Return how a ROUGE was computed."""
    from importlib.metadata import version

    how = f"{name}|F|mean of rows|tok:unicode words|stem:no"
    return f"rouge_score|{how}|version:{version('rouge-score')}"


def token_f1(prediction: str, reference: str) -> float:
    """Return the harmonic mean of precision and recall of the words two answers share, 0 to 1.

    As SQuAD's (Rajpurkar et al. 2016), but for every script, with articles left in, and with
    numbers, their signs, and the signs of arithmetic and currencies as words: 12,500 is not
    12,050, -5 is not 5.
    """
    predicted, given = Counter(_tokens(prediction)), Counter(_tokens(reference))
    if not predicted or not given:
        return float(exact_match(prediction, reference))
    shared = (predicted & given).total()
    return 2 * shared / (predicted.total() + given.total())


def words(text: str) -> list[str]:
    """Return the words of a text; of ASCII text those of `rouge_score`."""
    found: list[str] = _patterns()[0].findall(_folded(text))
    return found


class _Words:
    """The tokenizer that `rouge_score` is given: its own drops all but a to z and 0 to 9."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


def _tokens(text: str) -> list[str]:
    found: list[str] = _patterns()[1].findall(_folded(text).translate(_DASHES))
    return found


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds a word, and what finds a word, a number or a sign."""
    every = map(chr, range(sys.maxunicode + 1))
    signs = "".join(each for each in every if unicodedata.category(each) in ("Sc", "Sm"))
    word = word_pattern().pattern
    number = r"(?:(?<![\w)])[-+])?\d+(?:[.,:/]\d+)*"
    sign = rf"[%‰{re.escape(signs)}]|[-*/^](?=\s*[\d(])"
    return word_pattern(), re.compile(f"{number}|{sign}|{word}")


def _sacrebleu() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()
