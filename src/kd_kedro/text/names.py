"""The names in a text: what stands capitalised inside a sentence, and acronyms."""

import re

from kd_kedro.text.words import FRAME, word_set

TOKEN = re.compile(r"[^\W_](?:[\w&.-]*[^\W_])?")
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n]\s*|[“\"‘(]\s*)$")
_LOOK_BACK = 100
_HEAD = re.compile(r"(?:^|[.!?:\n]\s{0,20}|[“\"‘(]\s{0,20})([A-Z][^\W\d_]+)\b")
# Words a sentence may start with that are no names.
_STARTERS = FRAME | word_set(
    "after analyse analyze assess assume assuming based because before both choose compare "
    "complete consider derive draw during either establish evaluate examine fill here "
    "highlight however journalise journalize justify must name no pass select since solve "
    "some summarise summarize suppose total under until without"
)


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


def sentence_heads(text: str) -> set[str]:
    """Return capitalised words at the head of a sentence that may be names, case-folded."""
    return {word.casefold() for word in _HEAD.findall(text)} - _STARTERS
