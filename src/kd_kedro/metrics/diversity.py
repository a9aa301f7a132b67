"""How varied and how long a model's answers are: descriptions without a verdict."""

from collections import Counter
from collections.abc import Sequence

from kd_kedro.metrics.overlap import words

REPEATED = 3  # words in an n-gram whose repetition is counted


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


def _ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    found = words(text)
    return [tuple(found[start : start + n]) for start in range(len(found) - n + 1)]
