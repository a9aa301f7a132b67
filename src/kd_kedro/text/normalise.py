"""Forms of a text for comparison, from the mildest to the coarsest.

They differ on purpose: each says what its caller may overlook. An embedder overlooks spaces
alone, an option its closing mark, deduplication all punctuation around words, a copy of a
question its articles too, and a prompt that is repeated everything but its words.
"""

import re

from kd_kedro.text.words import word_pattern

# Marks of other scripts that are what those of English are: commas, ends, brackets, quotes.
_ENDS = "，、；：。．？！،؛؟۔।॥։\u037e·"
_QUOTES = "„‚«»‹›「」『』（）【】"
_EDGES = f".,;:!?\"'()[]“”‘’{_ENDS}{_QUOTES}"
_MARKS = re.compile(rf"[,;:.?!\"“”‘’(){_ENDS}{_QUOTES}]+(?=\s|$)|(?<!\S)[\"“”‘’({_QUOTES}]+")


def squeeze(text: str) -> str:
    """Return a text with single spaces."""
    return " ".join(text.split())


def one_line(text: str) -> str:
    """Return a text without line breaks; the spaces inside its lines stay."""
    return " ".join(line.strip() for line in text.strip().split("\n") if line.strip())


def without_end(text: str, marks: str = f" .;,{_ENDS}") -> str:
    """Return a text case-folded, with single spaces and without marks at its end.

    Args:
        text: The text.
        marks: What may stand at the end and say nothing.
    """
    return squeeze(text).rstrip(marks).casefold()


def bare(word: str, marks: str = ".,;:!?\"'“”‘’[]") -> str:
    """Return a word case-folded, without the punctuation around it.

    Args:
        word: The word.
        marks: What is punctuation. Round brackets are not: "a(n)" is a word of grammar.
    """
    return word.casefold().strip(marks)


def normalise(text: str) -> str:
    """Return a text case-folded, with single spaces and without punctuation around its words.

    Signs that carry meaning inside a text (operators, currency, decimal points) stay.
    """
    return squeeze(" ".join(word.strip(_EDGES) for word in text.casefold().split()))


def wording(text: str) -> str:
    """Return what makes two questions copies of each other: no case, punctuation or articles."""
    words = _MARKS.sub(" ", normalise(text)).split()
    return " ".join(word for word in words if word not in ("a", "an", "the"))


def words_only(text: str) -> str:
    """Return the words of a text case-folded, with single spaces and without any sign."""
    return " ".join(word_pattern().findall(text.casefold().replace("_", "")))
