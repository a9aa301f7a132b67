"""Marks that end a sentence or make it a question, in all scripts."""

import re

# Greek asks with what looks like a semicolon; the Armenian mark stands inside the word.
QUESTION_MARKS = "?？؟\u037e⁇⁈⁉‽⸮፧꛷꘏"
SENTENCE_ENDS = f".!{QUESTION_MARKS}。！．｡…।॥۔።܀։។៕။།༎᠃꓿"
_CLOSING = "\"'”’»›」』）)]"
_GREEK = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")


def asks(text: str) -> bool:
    """Return whether a text ends in a question mark, a closing quotation mark aside."""
    end = text.rstrip().rstrip(_CLOSING).rstrip()
    if end.endswith(tuple(QUESTION_MARKS)) or "՞" in end:
        return True
    return end.endswith(";") and bool(_GREEK.search(end[-20:]))
