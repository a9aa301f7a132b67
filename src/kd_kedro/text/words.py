"""Words of a text."""


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


# Where three dots after such a word break off, a word is missing.
