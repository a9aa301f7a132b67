"""Scores of answers: BLEU, exact match, perplexity, agreement with the teacher.

Every score is a function of sums over rows, so that any resample of the rows is one matrix
product away from its score.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from kd_kedro.metrics.statistics.significance import Floats

_ORDERS = 4
_LABEL_WORDS = 4
_LABEL_CHARACTERS = 40
_ENTRY_CHARACTERS = 160

_CURRENCY = r"(?:[$€£¥₹¢₩₽]|(?:rs|inr|usd|eur|gbp|jpy|chf|us\$)\b\.?)"
_NUMBER = r"[-+−]?\d+(?:[,.'’ ]\d+)*"
_UNIT = (
    r"(?:%|percent|per cent|times|x|days?|weeks?|months?|years?|units?|shares?|"
    r"lakhs?|crores?|thousand|million|billion|points?|p\.\s?a\.)"
)
_BARE_AMOUNT = re.compile(
    rf"\(?{_CURRENCY}?\s*{_NUMBER}\s*(?:[:/]\s*{_NUMBER})*\s*{_CURRENCY}?\s*{_UNIT}?"
    rf"(?:\s*{_UNIT})?\)?",
    re.IGNORECASE,
)
_DEBIT = re.compile(r"\b(?:debit|dr)\b\.?", re.IGNORECASE)
_CREDIT = re.compile(r"\b(?:credit|cr|to)\b\.?", re.IGNORECASE)
_LEG = re.compile(
    r"(?:debit|credit|dr\.?|cr\.?|to)\s+\S.*\d|\S.*\b(?:dr|cr)\b\.?\s*\S*\d.*", re.IGNORECASE
)
# Words that make a short text a sentence, which can be said in more than one way.
_SENTENCE = re.compile(
    r"\b(?:is|are|was|were|be|has|have|had|can|will|would|should|may|must|does|do|means?|"
    r"refers?|it|this|they|that|we|you)\b|[?!。？！…]|\w{4,}\.\s+\S",
    re.IGNORECASE,
)


def log_perplexity(sums: Floats) -> Floats:
    """Return the mean negative log-likelihood per token in nats; its exponential is perplexity.

    Args:
        sums: (…, 2): summed negative log-likelihood in nats, answer tokens with end-of-sequence.
    """
    return ratio(sums)


def ratio(sums: Floats) -> Floats:
    """Return first sum / second sum, 0 where the second is 0; `sums` has shape (…, 2)."""
    return np.divide(
        sums[..., 0], sums[..., 1], out=np.zeros(sums.shape[:-1]), where=sums[..., 1] != 0
    )


def bleu_statistics(predictions: Sequence[str], references: Sequence[str]) -> Floats:
    """Return sacrebleu's sufficient statistics of each row.

    Returns:
        Shape (rows, 10): prediction length, reference length, matches and totals of 1- to 4-grams.
    """
    rows = _sacrebleu()._extract_corpus_statistics(list(predictions), [list(references)])
    return np.asarray(rows, dtype=np.float64).reshape(-1, 2 + 2 * _ORDERS)


def bleu(sums: Floats) -> Floats:
    """Return corpus BLEU, 0 to 100, from summed statistics as sacrebleu does (smoothing `exp`).

    Args:
        sums: (…, 10), columns as in `bleu_statistics`.
    """
    length, reference = sums[..., 0], sums[..., 1]
    correct, total = sums[..., 2 : 2 + _ORDERS], sums[..., 2 + _ORDERS :]
    # The i-th order without a match counts as 1 / 2^i matches (mteval-v13a).
    halvings = np.cumsum((correct == 0) & (total > 0), axis=-1)
    matches = np.where(correct == 0, 0.5**halvings, correct)
    usable = (total > 0).all(axis=-1) & (correct > 0).any(axis=-1)
    logs = np.log(matches) - np.log(np.where(total > 0, total, 1.0))
    brevity = np.minimum(0.0, 1.0 - reference / np.maximum(length, 1e-12))
    scores: Floats = np.where(usable, 100.0 * np.exp(brevity + logs.mean(axis=-1)), 0.0)
    return scores


def bleu_signature() -> str:
    """Return sacrebleu's signature of the BLEU computed here."""
    metric = _sacrebleu()
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def exact_match(prediction: str, reference: str) -> bool:
    """Tell whether two answers are the same but for case, white space and final punctuation.

    Signs and digits count: 12,500 is neither 12,050 nor 12500.
    """
    return canonical(prediction) == canonical(reference)


def canonical(text: str) -> str:
    """Return an answer without what exact match does not count: case, white space, final marks."""
    joined = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    return joined.rstrip(" .,;:!?。")


def gradable(answer: str) -> bool:
    """Tell whether an answer has one right wording, so that exact match is fair to it.

    Three kinds do: a journal entry with its amounts, a bare amount (number, ratio, percentage,
    currency), and a label of one to four words that is no sentence.
    """
    text = canonical(answer)
    if not text:
        return False
    return bool(_BARE_AMOUNT.fullmatch(text)) or _is_journal_entry(text) or _is_label(text)


def _is_journal_entry(text: str) -> bool:
    if len(text) > _ENTRY_CHARACTERS or not (_DEBIT.search(text) and _CREDIT.search(text)):
        return False
    legs = [leg.strip(" ,") for leg in re.split(r";|,\s(?=\D)|\band\b|\s(?=to\s)", text)]
    return len(legs) >= 2 and all(_LEG.fullmatch(leg) for leg in legs if leg)


def _is_label(text: str) -> bool:
    words = text.split()
    if len(words) > _LABEL_WORDS or len(text) > _LABEL_CHARACTERS or _SENTENCE.search(text):
        return False
    # Scripts without spaces: a dozen characters is about four words.
    wide = sum(unicodedata.east_asian_width(character) == "W" for character in text)
    return wide <= 3 * _LABEL_WORDS and any(character.isalnum() for character in text)


def _sacrebleu() -> Any:
    from sacrebleu.metrics import BLEU

    # force: no warning about texts that look tokenised; models write what they write.
    return BLEU(force=True)
