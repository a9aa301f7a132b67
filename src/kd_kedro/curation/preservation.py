"""Does a rewrite still say the same? One gate for each kind of meaning that rewriting loses.

A gate compares what it reads in the source with what it reads in the rewrite, and answers with
the name of the loss or ''.
"""

import re
from collections import Counter
from collections.abc import Callable

from kd_kedro.curation.blanks import word_set

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NUMBER_WORD = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|"
    r"hundred|thousand|lakhs?|crores?|million|billion|half|twice|double|triple)\b"
)
_UNIT = re.compile(
    r"[₹$€£¥%‰°]|(?<![a-z])(?:rs|inr|usd|eur|gbp)(?![a-z])"
    r"|(?<=\d)\s?(?:kg|g|km|m|cm|mm|hours?|days?|weeks?|months?|years?|units?|shares?|percent|"
    r"per cent|per annum|p\.a)(?![a-z])"
)
_OPERATOR = re.compile(r"[+×÷=<>≤≥≠±√^]|(?<=\s)[-*/](?=\s)")
_NEGATION = re.compile(
    r"\b(?:not|never|no|none|nor|neither|nobody|nothing|nowhere|without|cannot|except|excluding|"
    r"unless|hardly|false|incorrect|untrue|wrong|invalid|unable|fails?|lacks?)\b|n't\b"
)
# Words whose exchange for each other turns a question round.
_DIRECTIONS = word_set(
    "debit debits debited credit credits credited increase increases increased increasing "
    "decrease decreases decreased decreasing rise rises rising fall falls falling asset "
    "assets liability liabilities income expense expenses profit profits loss losses "
    "buyer buyers seller sellers before after above below more less most least first last "
    "maximum minimum higher lower gross net opening closing internal external advantage "
    "advantages disadvantage disadvantages lessor lessee creditor creditors debtor "
    "debtors payable receivable long short all some both either only or"
)
_TOKEN = re.compile(r"[^\W_](?:[\w&.-]*[^\W_])?")
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n]\s*|[“\"‘(]\s*)$")
_LOOK_BACK = 100


def numbers(text: str) -> Counter[str]:
    """Return the numbers of a text, in figures without thousands separators, and in words."""
    figures = (re.sub(r"(?<=\d),(?=\d{2,3}(?:\D|$))", "", found) for found in _NUMBER.findall(text))
    return Counter([*figures, *_NUMBER_WORD.findall(text.casefold())])


def units(text: str) -> Counter[str]:
    """Return the units, currency signs and operators of a text."""
    found = [unit.strip() for unit in _UNIT.findall(text.casefold())]
    return Counter([*found, *_OPERATOR.findall(text)])


def negations(text: str) -> Counter[str]:
    """Return the negating words of a text; a contraction counts as "not"."""
    plain = (
        text.casefold().replace("’", "'").replace("cannot", "can not").replace("can't", "can not")
    )
    found = (word.replace("n't", "not") for word in _NEGATION.findall(plain))
    return Counter("not" if word == "n't" else word for word in found)


def directions(text: str) -> Counter[str]:
    """Return the words of a text that turn its meaning round when exchanged."""
    return Counter(word for word in re.findall(r"[a-z]+", text.casefold()) if word in _DIRECTIONS)


def names(text: str) -> set[str]:
    """Return the named entities of a text: capitalised inside a sentence, and acronyms."""
    found = set()
    for match in _TOKEN.finditer(text):
        word = match.group()
        acronym = len(word) > 1 and word.isupper()
        # What a sentence starts behind is short; a whole cell before every name is not.
        before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
        inside = word[0].isupper() and not _SENTENCE_START.search(before)
        if (acronym or inside) and word != "I":
            found.add(word.casefold())
    return found


def _tokens(text: str) -> set[str]:
    return {word.casefold() for word in _TOKEN.findall(text)}


def _same(read: Callable[[str], Counter[str]], what: str) -> Callable[[str, str], str]:
    def gate(source: str, rewrite: str) -> str:
        before, after = read(source), read(rewrite)
        if before == after:
            return ""
        changed = sorted((before - after) + (after - before))
        return f"{what} changed: {', '.join(changed)}"

    return gate


def _keeps_names(source: str, rewrite: str) -> str:
    # A name at the head of a sentence is seen as one only where it moves inside.
    there = _tokens(rewrite)
    if lost := sorted(name for name in names(source) if name not in there):
        return f"names lost: {', '.join(lost)}"
    known = _tokens(source)
    if new := sorted(name for name in names(rewrite) if name not in known):
        return f"names added: {', '.join(new)}"
    return ""


GATES: tuple[Callable[[str, str], str], ...] = (
    _same(numbers, "numbers"),
    _same(units, "units"),
    _same(negations, "negation"),
    _same(directions, "direction"),
    _keeps_names,
)


def preservation_defect(source: str, rewrite: str) -> str:
    """Return the first gate that a rewrite fails, in words; '' where it passes all.

    Args:
        source: The text as it was.
        rewrite: The text made of it.
    """
    for gate in GATES:
        if reason := gate(source, rewrite):
            return reason
    return ""


def misspelling_defect(source: str, misspelt: str, max_share: float) -> str:
    """Return why a text with typing errors is more than that, '' where it is not.

    Args:
        source: The text as it was.
        misspelt: The same words, some with one typing error.
        max_share: The largest share of the words that may be misspelt, 0 to 1.
    """
    before, after = source.split(), misspelt.split()
    if len(before) != len(after):
        return "words added or lost"
    changed = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
    if len(changed) > max(1, max_share * len(before)):
        return f"{len(changed)} of {len(before)} words misspelt"
    for was, now in changed:
        if any(char.isdigit() for char in was + now) or names(f"- {was}") or names(f"- {now}"):
            return f"a number or name misspelt: {was}"
        if any(read(was) or read(now) for read in (numbers, units, negations)):
            return f"a number, unit or negation misspelt: {was}"
        if directions(now) or not _one_slip(was, now):
            return f"another word: {was} became {now}"
    return ""


def _one_slip(was: str, now: str) -> bool:
    """Return whether one letter was swapped, added, left out or replaced."""
    start = next(
        (n for n, (a, b) in enumerate(zip(was, now, strict=False)) if a != b),
        min(len(was), len(now)),
    )
    a, b = was[start:], now[start:]
    swapped = len(a) > 1 and len(b) > 1 and (a[1], a[0], a[2:]) == (b[0], b[1], b[2:])
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or swapped
