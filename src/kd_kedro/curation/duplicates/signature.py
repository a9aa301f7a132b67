"""When do two texts say the same? Near in meaning is not enough: "Rs 500" is near "Rs 600".

A text's *signature* holds what similarity overlooks: its numbers, units, negations and words of
direction (debit, credit). Rows merge only where signatures are equal and names agree. Equality
is transitive, and names are checked against every member of a family, so no chain of near pairs
brings together what differs.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from kd_kedro.curation.duplicates.neighbours import Pair
from kd_kedro.text.code_tokens import code_key
from kd_kedro.text.facts import read_facts
from kd_kedro.text.names import sentence_heads
from kd_kedro.text.normalise import normalise
from kd_kedro.text.polarity import DECISIVE
from kd_kedro.text.words import content_words, word_set

Signature = tuple[tuple[tuple[str, int], ...] | int | tuple[str, ...] | str, ...]

# Quantifiers and links vary between rewordings of one question. "After" is what a question asks
# without saying so ("the entry after a sale"), and "before" still tells the two apart.
_LOOSE = word_set("after all some both either only or most least first last long short")
_WORD = re.compile(r"[^\W_]+(?:['’&.-][^\W_]+)*")
_LETTER = re.compile(r"[^\W\d_]")
# With Latin Extended Additional, which Vietnamese is written in.
_LATIN_LETTER = re.compile(r"[^\W\d_\u0250-\u1dff\u1f00-\U0010ffff]")
_SIDE = re.compile(r"\b(?:debit(?:s|ed)?|credit(?:s|ed)?|dr|cr)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[;.,\n]|\band\b")
_BEHIND = word_set("debited credited dr cr")
_NO_ACCOUNT = word_set("a c account amount side")
# Words by which an answer takes back what it said.
_TAKES_BACK = word_set("but except however unless although though only not wrong incorrect")
_TELLING_WORDS = 4  # of content; with fewer, an added word makes another answer


@lru_cache(maxsize=200_000)
def signature(text: str) -> Signature:
    """Return what must be equal in two texts that say the same, whatever their similarity.

    Numbers and units count by how often they stand there, negations by how many there are (a
    rewording turns "cannot" into "is unable to"), directions by which there are. A text in
    another script than Latin counts whole: to the embedder its words are unknown, and questions
    in Thai or Chinese that have nothing in common have a cosine of 1.
    """
    facts = read_facts(text)
    return (
        tuple(sorted(facts.values.items())),
        tuple(sorted(facts.units.items())),
        tuple(sorted(facts.currencies)),
        tuple(sorted(facts.operators.items())),
        facts.negations,
        tuple(sorted((facts.directions & DECISIVE) - _LOOSE)),
        normalise(text) if _in_other_script(text) else "",
    )


@lru_cache(maxsize=200_000)
def question_key(text: str) -> str:
    """Return what questions have in common that are the same but for case and punctuation.

    Of code both count: `-d` is not `-D`.
    """
    return f"{normalise(text)} {code_key(text)}".rstrip()


def names_agree(one: str, other: str) -> bool:
    """Return whether every name in either text stands in the other, as a name or not."""
    return _names(one) <= _words(other) and _names(other) <= _words(one)


def sides_agree(one: str, other: str) -> bool:
    """Return whether two texts debit and credit alike, as far as both say what.

    A journal entry turned round has the same words, and a cosine near 1.
    """
    (debits, credits), (other_debits, other_credits) = _sides(one), _sides(other)
    crossed = debits & other_credits or credits & other_debits
    apart = (debits and other_debits and not debits & other_debits) or (
        credits and other_credits and not credits & other_credits
    )
    return not crossed and not apart


def holds(one: str, other: str) -> int:
    """Return 1 where the first answer says all that the second says, and more; -1 the other way.

    The longer answer begins with the shorter one and goes on behind a stop, or it has the same
    signature and names and all the other's words of content in their order. What it adds takes
    nothing back ("but", "except"). 0 where neither holds the other, or the two are equal.
    """
    if len(one) >= len(other):
        return int(_is_held(other, one))
    return -int(_is_held(one, other))


def unite(
    rows: int, pairs: Iterable[Pair], agree: Callable[[int, int], bool] | None = None
) -> list[list[int]]:
    """Return families of rows: pairs in turn join two families where all their members agree.

    Args:
        rows: Number of rows.
        pairs: Pairs in the order in which they are to join.
        agree: Whether two rows may be of one family; all may where it is left out.

    Returns:
        Families of positions in rising order, ordered by their first member; each row is in one.
    """
    family = {row: [row] for row in range(rows)}
    for first, second, _ in pairs:
        left, right = family[first], family[second]
        if left is right:
            continue
        if agree and not all(agree(one, other) for one in left for other in right):
            continue
        if len(left) < len(right):
            left, right = right, left
        left.extend(right)
        family.update(dict.fromkeys(right, left))
    unique = {id(members): members for members in family.values()}
    return sorted(sorted(members) for members in unique.values())


def _is_held(short: str, long: str) -> bool:
    words, more = _content(short), _content(long)
    if not words or len(more) <= len(words) or set(more) - set(words) & _TAKES_BACK:
        return False
    start, whole = normalise(short), normalise(long)
    # normalise() strips the stop behind the shorter answer, so it is looked for in the text.
    if whole.startswith(start + " "):
        last = " ".join(long.split()[: len(short.split())])
        return last[-1] in ".,;:!?" and sides_agree(short, long)
    if _SIDE.search(short) or len(words) < _TELLING_WORDS:
        return False
    same_facts = signature(short) == signature(long) and names_agree(short, long)
    left = iter(more)
    return same_facts and all(word in left for word in words)


@lru_cache(maxsize=200_000)
def _content(text: str) -> tuple[str, ...]:
    """Return the words of content in order, plurals as singulars."""
    return tuple(word.removesuffix("s") if len(word) > 3 else word for word in content_words(text))


@lru_cache(maxsize=200_000)
def _sides(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words that stand on the debit side only, and those on the credit side only."""
    debits: set[str] = set()
    credits: set[str] = set()
    if not _SIDE.search(text):
        return frozenset(), frozenset()
    for clause in _CLAUSE.split(text):
        marks = list(_SIDE.finditer(clause))
        for place, mark in enumerate(marks):
            end = marks[place + 1].start() if place + 1 < len(marks) else len(clause)
            # "Debit cash", but "cash is debited" and "Cash Dr".
            before = mark.group().casefold() in _BEHIND and not clause[mark.end() : end].strip(" .")
            start = marks[place - 1].end() if place else 0
            bound = clause[start : mark.start()] if before else clause[mark.end() : end]
            side = debits if mark.group()[0] in "dD" else credits
            side.update(word for word in _content(bound) if word[0].isalpha())
    debits, credits = debits - _NO_ACCOUNT, credits - _NO_ACCOUNT
    return frozenset(debits - credits), frozenset(credits - debits)


def _in_other_script(text: str) -> bool:
    """Return whether more than half of the letters are not Latin."""
    if text.isascii():
        return False
    return 2 * len(_LATIN_LETTER.findall(text)) < len(_LETTER.findall(text))


@lru_cache(maxsize=200_000)
def _names(text: str) -> frozenset[str]:
    return read_facts(text).names | sentence_heads(text)


@lru_cache(maxsize=200_000)
def _words(text: str) -> frozenset[str]:
    # A text's own names stand in it, however the words are cut.
    return _names(text) | {word.casefold() for word in _WORD.findall(text)}
