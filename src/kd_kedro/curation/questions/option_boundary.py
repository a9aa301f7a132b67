"""Where a stem ends and its first option begins, when both stand in one line without a mark.

"The opposite of cold is hot; wet; dry" does not say it. The other options do: they start alike
(the same word, a capital, a digit), are about as long, and a stem likes to break off after "is",
"of" or "the". A conditional logit over the places between words weighs these signs (McFadden 1974,
"Conditional logit analysis of qualitative choice behavior"); `tools/fit_option_boundary.py` fits
the weights.
"""

import math
import re
from collections.abc import Iterable, Sequence

from kd_kedro.text.normalise import bare
from kd_kedro.text.words import word_set

# Fitted on MMLU's dev and val questions; what one sign adds to the log-odds of a place.
WEIGHTS: dict[str, float] = {
    "line break": 4.01,
    "question mark": 5.56,
    "colon": 6.63,
    "blank": 2.73,
    "full stop": 1.73,
    "comma": -0.15,
    "copula": 1.03,
    "preposition": 0.54,
    "link": 1.05,
    "modal": 0.60,
    "same first word": 1.67,
    "same first kind": 2.98,
    "capital after small": 0.90,
    "first word closed": -1.00,
    "same ending": 3.28,
    "longer": -1.73,
    "shorter": -0.55,
    "longer than all": -1.17,
    "shorter than all": -1.31,
    "question inside": -2.46,
    "colon inside": -0.71,
    "blank inside": -0.83,
    "stop inside": -3.17,
    "open bracket inside": -1.69,
    "sentence just begun": -1.34,
    "word before is the options'": -0.73,
    "first word is the options'": 0.22,
    "number before number": 0.55,
}
# An option is not many times longer than all the others.
_MAX_RATIO, _MAX_WORDS = 4, 12

_COPULAS = word_set("is are was were be been means mean equals called include includes")
_PREPOSITIONS = word_set(
    "of to by in for with as from on at into through about between than during under"
)
_ARTICLES = word_set("the a an its their his her this these")
_LINKS = word_set("that because when if while whether and or but so since which")
_MODALS = word_set("will would can could may might must should does do did has have had")
_CLOSED = _COPULAS | _PREPOSITIONS | _ARTICLES | _LINKS | _MODALS

Words = Sequence[str]


def find_boundary(words: Words, breaks: frozenset[int], others: Sequence[str]) -> tuple[int, float]:
    """Return the place of the word that starts the first option, and how probable that is.

    Args:
        words: The words of the stem and, after them, of the first option.
        breaks: Places of words that start a line.
        others: The other options.
    """
    places = candidates(words, breaks, others)
    scores = [
        sum(
            WEIGHTS.get(name, 0.0) * value
            for name, value in signs(words, breaks, n, others).items()
        )
        for n in places
    ]
    best = max(range(len(places)), key=scores.__getitem__)
    return places[best], 1 / sum(math.exp(score - scores[best]) for score in scores)


def candidates(words: Words, breaks: frozenset[int], others: Sequence[str]) -> list[int]:
    """Return the places of the last line at which the first option may start."""
    longest = max(len(option.split()) for option in others)
    first = max(1, *breaks, len(words) - _MAX_RATIO * longest - _MAX_WORDS)
    return list(range(first, len(words)))


def signs(
    words: Words, breaks: frozenset[int], place: int, others: Sequence[str]
) -> dict[str, float]:
    """Return what speaks for or against a place, by name."""
    before, first, option = words[place - 1], words[place], words[place:]
    plain = _word(before)
    listed = [other.split() for other in others]
    lengths = sorted(len(other) for other in listed)
    ratio = math.log(len(option) / lengths[len(lengths) // 2])
    inside = " ".join(option[:-1])
    vocabulary = {_word(word) for other in listed for word in other} - _CLOSED
    found = {
        "line break": place in breaks,
        "question mark": before.endswith("?"),
        "colon": before.endswith(":"),
        "blank": "__" in before,
        "full stop": before.endswith((".", "!", '."', ".”", ")")) and "__" not in before,
        "comma": before.endswith((",", ";")),
        "copula": plain in _COPULAS,
        "preposition": plain in _PREPOSITIONS,
        "link": plain in _LINKS,
        "modal": plain in _MODALS,
        "same first word": _share(_word(first) == _word(other[0]) for other in listed),
        "same first kind": _share(_kind(first) == _kind(other[0]) for other in listed),
        "capital after small": (
            first[:1].isupper()
            and _kind(before) == "small"
            and not before.endswith((".", "?", ":"))
        )
        * _share(_kind(other[0]) == "capital" for other in listed),
        "first word closed": abs(
            (_word(first) in _CLOSED) - _share(_word(other[0]) in _CLOSED for other in listed)
        ),
        "same ending": _share(_word(first)[-2:] == _word(other[0])[-2:] for other in listed),
        "longer": max(ratio, 0.0),
        "shorter": max(-ratio, 0.0),
        "longer than all": len(option) > lengths[-1],
        "shorter than all": len(option) < lengths[0],
        "question inside": "?" in inside and not any("?" in other for other in others),
        "colon inside": ": " in inside + " " and not any(": " in other for other in others),
        "blank inside": "__" in inside,
        "stop inside": bool(re.search(r"[a-z)]\. ", inside + " "))
        and not any(re.search(r"[a-z)]\. ", other) for other in others),
        "open bracket inside": _open_brackets(option) and not any(map(_open_brackets, listed)),
        "sentence just begun": any(
            word.endswith((".", "?")) for word in words[place - 3 : place - 1]
        ),
        "word before is the options'": plain in vocabulary,
        "first word is the options'": _word(first) in vocabulary,
        "number before number": _kind(before) == "digit" and _kind(first) == "digit",
    }
    return {name: float(value) for name, value in found.items()}


def _kind(word: str) -> str:
    head = word.lstrip("\"'“‘($₹€£-−–+~")[:1]
    if head.isdigit():
        return "digit"
    if head.isalpha():
        return "capital" if head.isupper() else "small"
    return "sign"


def _word(word: str) -> str:
    return bare(word, ".,;:!?\"'“”‘’()[]")


def _open_brackets(words: Words) -> bool:
    text = " ".join(words)
    return text.count("(") != text.count(")") or text.count('"') % 2 == 1


def _share(values: Iterable[bool]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
