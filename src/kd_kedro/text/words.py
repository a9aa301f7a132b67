"""The words of a text: which there are, which carry meaning, and their stems."""

import re
import sys
import unicodedata
from functools import cache

# Chinese characters and both kana: a word each. Korean puts spaces between words.
_UNSPACED = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"


@cache
def word_pattern() -> re.Pattern[str]:
    """Return what finds the words of any script: letters and figures with their marks."""
    # Python's \w leaves out the marks that write the vowels of Hindi, Tamil or Arabic.
    every = map(chr, range(sys.maxunicode + 1))
    marks = "".join(each for each in every if unicodedata.category(each)[0] == "M")
    return re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[^\W_]|[{marks}])+")


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


FUNCTION_WORDS = word_set(
    "a an the this that these those there it its is are was were be been being am do does "
    "did has have had of to in on at by for from with as into and or but because since so "
    "if then than who whom whose which what when where why how will would shall should "
    "can could may might must he she they we you i his her their our your"
)
# Words that frame a question and say nothing of what it asks.
FRAME = word_set(
    "a about above according advise all also am an and answer any are ask asked asking as at be "
    "been being briefly but by calculate called can clarify classify could compute define defined "
    "describe determine did differentiate difference discuss distinguish do does done each "
    "elaborate enumerate everyone explain explanation find following for from gave get give given "
    "go got had has have having he help hello her hey hi him his how i identify if illustrate in "
    "indicate inform into is it its just kindly know known let like list may me mean meaning "
    "means meant mention might mind much my need of often okay on one or other our out outline "
    "please point possible prepare provide question quick quickly really record refer referred "
    "refers request requested requests s say sense she should show simply so someone something "
    "specify state stand stands such suggest t tell term termed terms than thanks that the their "
    "them then there these they thing things this those to tell understand understood us use used "
    "using want was way ways we were what whats when where whether which while who whom whose why "
    "will wish wonder wondering with word words work would you your appreciate appreciated "
    "grateful good day sir madam curious exactly actually basically again happens happen concept "
    "idea notion takes behind reason reasons role play plays played part manner primary main key "
    "chief basic various consequence consequences result results write not don doesn isn aren can "
    "cannot"
)
_CONTENT = re.compile(r"[^\W_]+(?:['’.,][^\W_]+)*|[%₹$€£+=<>]")
_LATIN_ALONE = re.compile("[\\0-\u02ff\u1e00-\u22ff]*")
_OPTIONAL_PLURAL = re.compile(r"(?<=\w)\((?:n|s)\)")
_SIGNED = re.compile(r"(?<![\w)])[-−]?\d+(?:[.,]\d+)*|\d+|[^\W\d_]+(?:'[^\W\d_]+)?|[%₹$€£+<>=*/^]")
_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=\w)")

# What `stem` cuts. Lookbehinds keep enough of a short word to tell it from others.
# Forms of a verb or a noun: a statement's "declares" is a question's "does … declare".
INFLECTIONS = re.compile(r"(?:(?<=..)(?:ies|ied)|(?<=...)(?:es|ed|[sey]))$")
# An answer that tells its option in other words derives more freely: "trading", "freely".
DERIVATIONS = re.compile(r"(?:(?<=..)(?:ies|ing)|(?<=...)(?:es|ed|ly)|(?<=....)[sey])$")
_ROOT_ENDINGS = re.compile(
    r"(?:ations?|itions?|ions?|ments?|ings?|edly|ed|ies|ily|ally|ly|es|s|e|y|ers?|ors?|al|ity)$"
)
_ROOT_LETTERS = 7


def content_words(text: str) -> list[str]:
    """Return the words of a text that carry meaning, case-folded, numbers and signs included."""
    pattern = _CONTENT if _LATIN_ALONE.fullmatch(text) else word_pattern()
    words = pattern.findall(_OPTIONAL_PLURAL.sub("", text.casefold()))
    return [word for word in words if word not in FUNCTION_WORDS]


def words_and_signs(text: str) -> list[str]:
    """Return all words, numbers with their minus, and signs of a text, case-folded."""
    return _SIGNED.findall(_HYPHEN.sub(" ", text.casefold().replace("’", "'")))


def stem(word: str, endings: re.Pattern[str] = INFLECTIONS) -> str:
    """Return a word without its ending, for comparison only.

    Args:
        word: A word in small letters.
        endings: `INFLECTIONS` or `DERIVATIONS`.
    """
    return endings.sub("", word)


def root(word: str) -> str:
    """Return what related words have in common ("depreciation", "depreciated"): up to 7 letters.

    Args:
        word: A word in small letters.
    """
    for _ in range(2):
        short = _ROOT_ENDINGS.sub("", word)
        if len(short) < 3 or short == word:
            break
        word = short
    return word[:_ROOT_LETTERS]


def one_slip(was: str, now: str) -> bool:
    """Return whether one letter was swapped, added, left out or replaced."""
    start = next(
        (n for n, (a, b) in enumerate(zip(was, now, strict=False)) if a != b),
        min(len(was), len(now)),
    )
    a, b = was[start:], now[start:]
    swapped = len(a) > 1 and len(b) > 1 and (a[1], a[0], a[2:]) == (b[0], b[1], b[2:])
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or swapped
