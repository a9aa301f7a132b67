"""Which words are opposites, and which are forms of one word?

A list tells (`opposites.txt`), and how a word is made: one stem behind prefixes that exclude each
other ("secured", "unsecured"; "hypertension", "hypotension") or before such endings ("harmful",
"harmless"; "payer", "payee"). Most prefixes are Latin and Greek ones that the neighbours of English
have too.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from itertools import product

from kd_kedro.text.polarity import opposite_poles
from kd_kedro.text.words import one_slip, word_set

# Put before a word, each turns it round.
_NEGATING = word_set("un in im ir il dis non de mis anti counter contra des dés dé mé ent ver")
# Each for another turns a word round.
_PREFIXES = _NEGATING | word_set(
    "hyper hypo over under up down out on off pre post ante pro retro intra inter extra endo exo "
    "intro extro micro macro mini maxi mono poly multi uni bi tri homo hetero auto sub super supra "
    "en em ex es ab ad con col syn fore back ein aus auf zu an vor nach aan uit"
)
_ENDINGS = (
    (word_set("ful fully"), word_set("less lessly")),
    (word_set("er or ers ors"), word_set("ee ees")),
    (word_set("philic phile philia"), word_set("phobic phobe phobia")),
)
_INFLECTIONS = ("s", "es", "d", "ed", "ing", "ly", "r", "er", "st", "est")
_SHORTEST_STEM = 3
_SHORTEST_MISSPELT = 7


@lru_cache(maxsize=100_000)
def are_opposites(one: str, other: str) -> bool:
    """Return whether two words are opposites, in whatever form they stand.

    Args:
        one: A word in small letters.
        other: A word in small letters.
    """
    antonyms, own, others = _antonyms(), _forms(one), _forms(other)
    if other in antonyms.get(one, ()) or opposite_poles(one, other):
        return True
    if own & others:
        return False
    return _differ_in_ending(one, other) or any(
        second in antonyms.get(first, ()) or _differ_in_prefix(first, second)
        for first, second in product(own, others)
    )


@lru_cache(maxsize=100_000)
def are_forms(one: str, other: str) -> bool:
    """Return whether two words may be forms of one word, or one the other misspelt.

    Args:
        one: A word in small letters.
        other: A word in small letters.
    """
    return bool(_forms(_spelling(one)) & _forms(_spelling(other))) or _is_misspelt(one, other)


def _differ_in_prefix(one: str, other: str) -> bool:
    """Return whether one stem stands behind two prefixes, or behind a negating one and none."""
    for cut in range(len(one) + 1 - _SHORTEST_STEM):
        if other.endswith(one[cut:]):
            prefix, rest = one[:cut].rstrip("-"), other[: cut - len(one)].rstrip("-")
            both = bool(prefix and rest)
            if prefix != rest and (
                {prefix, rest} <= _PREFIXES if both else prefix + rest in _NEGATING
            ):
                return True
    return False


def _differ_in_ending(one: str, other: str) -> bool:
    return any(
        _stems(one, own) & _stems(other, others)
        for pair in _ENDINGS
        for own, others in (pair, pair[::-1])
    )


def _stems(word: str, endings: frozenset[str]) -> set[str]:
    stems = {word.removesuffix(ending) for ending in endings if word.endswith(ending)}
    return {stem for stem in stems if len(stem) >= _SHORTEST_STEM}


@lru_cache(maxsize=100_000)
def _forms(word: str) -> frozenset[str]:
    """Return a word and all that it may be a form of: "bigger" of "big", "used" of "use"."""
    found = {word}
    for ending in _INFLECTIONS:
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < _SHORTEST_STEM - 1:
            continue
        found |= {stem, stem + "e"}
        if stem[-1] == "i":
            found.add(stem[:-1] + "y")
        if len(stem) > _SHORTEST_STEM and stem[-1] == stem[-2]:
            found.add(stem[:-1])
    return frozenset(found)


def _spelling(word: str) -> str:
    """Return a word as it is spelt without hyphens, British or American ("labour", "organize")."""
    return word.replace("-", "").replace("z", "s").replace("our", "or")


def _is_misspelt(one: str, other: str) -> bool:
    """Return whether a long word is another with a letter too many, too few or moved.

    Another letter makes another word ("nitrate", "nitrite"), one at an end too ("printf"), and
    short words that are one slip apart are mostly two words ("angle", "angel").
    """
    return (
        min(len(one), len(other)) >= _SHORTEST_MISSPELT
        and (one[0], one[-1]) == (other[0], other[-1])
        and (len(one) != len(other) or sorted(one) == sorted(other))
        and one_slip(one, other)
    )


@cache
def _antonyms() -> Mapping[str, frozenset[str]]:
    text = files("kd_kedro.text").joinpath("opposites.txt").read_text(encoding="utf-8")
    lines = (line.split("|") for line in text.splitlines() if not line.startswith("#"))
    related: dict[str, set[str]] = defaultdict(set)
    for left, right in lines:
        for one, other in product(left.split(), right.split()):
            related[one].add(other)
            related[other].add(one)
    return {word: frozenset(others) for word, others in related.items()}
