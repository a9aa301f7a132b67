"""The names in a text: what stands capitalised inside a sentence, and acronyms."""

import re

TOKEN = re.compile(r"[^\W_](?:[\w&.-]*[^\W_])?")
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n]\s*|[“\"‘(]\s*)$")
_LOOK_BACK = 100


def names(text: str) -> set[str]:
    """Return the named entities of a text, case-folded: capitalised inside a sentence, acronyms."""
    found = set()
    for match in TOKEN.finditer(text):
        word = match.group()
        acronym = len(word) > 1 and word.isupper()
        # What a sentence starts behind is short; a whole cell before every name is not.
        before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
        inside = word[0].isupper() and not _SENTENCE_START.search(before)
        if (acronym or inside) and word != "I":
            found.add(word.casefold())
    return found
