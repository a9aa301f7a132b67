"""Fill-in-the-blank rows: where the blanks are, and whether a question made of one is fit."""

import re

from kd_kedro.text.language import QUESTION_MARKS, SENTENCE_ENDS, asks, language_defect
from kd_kedro.text.layout import code_spans
from kd_kedro.text.words import content_words, stem, word_set

BLANK = "____"
_PASSAGE_WORDS = 60


_ASKS_A_WORD = "|".join(
    f"(?<=\\b{word})"
    for word in sorted(
        word_set("is are was were be the a an of to by as in on for from with called and or")
    )
)
# Longest forms first.
_BLANK = re.compile(
    r"[\[(<{]\s*(?:_{2,}|blank)\s*[\])>}]"  # [blank], (____)
    r"|(?<!\w)[\[(<]\s*(?:\.{3,}|…+|_)\s*[\])>]"  # <...>, (_), but not f(...), f(_), { ... }
    r"|(?<![\w=])(?:\([ \t]+\)|(?<![-*+=][ \t])\[[ \t]+\])|[（【][ \t\u3000]+[）】]"  # ( ), [ ]
    r"|＿{2,}"
    r"|(?:\\_[ \t]*){2,}|(?:_[ \t]+){2,}_+|_{2,}"  # \_\_, _ _ _, ____
    r"|(?<!\S)_(?=[\s,;:?!]|\.(?!\w)|$)"  # _
    r"|(?:\.[ \t]){4,}\.|(?:(?<=\s)|^)\.{4,}|\.{5,}|…{2,}"  # . . . . ., ....., ……
    r"|(?<=[^\W\d_])[ \t]+(?:…|\.{3})(?=[ \t]+[^\W\d_])"  # an ... between two words
    rf"|(?:{_ASKS_A_WORD})[ \t]+(?:…+|\.{{3,}})"  # is known as ...
    r"|\A\s*(?:…|\.{3,})(?=\s+[a-z])"  # ... is the
    r"|(?<![|:\w-])-{3,}(?![|:\w-])|[–—]{3,}|(?:[–—][ \t]){2,}[–—]",  # ---, –––, – – –
    re.IGNORECASE,
)
# What looks like a blank and is none: a table's rule, a file of a diff, a Python name, a variable
# that nobody reads, a series that trails off.
_NO_BLANK = re.compile(
    r"^(?=[ \t:|-]*$).*--.*$|^--- \S+(?=\s|$)"
    r"|(?<=for )_(?= in )|(?<=, )_(?= in )|(?<=lambda )_(?=:)"
    r"|(?<![^\s,])_(?=,? ?(?:\w+ )?:?= )|\(_\)(?= ?[=-]>)|(?<!\S)_(?= [=-]>)"
    r"|(?<![\w])__[A-Za-z0-9]\w*?__(?!\w)|(?<=[A-Za-z0-9])__(?=[A-Za-z0-9])"
    r"|,[ \t]*(?:\.{3,}+|…+)(?=[ \t]*(?:[?.!)\]}]|$))|\b\w{1,2},[ \t]*(?:\.{3,}+|…+)(?=[ \t]*,)",
    re.MULTILINE,
)
_LATER_SENTENCE = re.compile(
    rf"(?:[.!?:\n]\s|[{SENTENCE_ENDS[2:]}])[^{SENTENCE_ENDS}_\n]*[{QUESTION_MARKS};՞]\W*$"
)
_INSTRUCTION = re.compile(
    r"^\s*(?:please\s+)?(?:fill(?:\s+up|\s+in)?(?:\s+in)?\s+the\s+(?:blanks?|gaps?|missing\s+words?)"
    r"|complete\s+the\s+(?:following\s+)?(?:sentence|statement)s?)"
    r"(?:\s+with\s+(?:the|an?)\s+\w+\s+\w+)?\s*[:.\-–—]+\s*",
    re.IGNORECASE,
)


def count_blanks(text: str) -> int:
    """Return how many blanks a text has."""
    return canonical_blanks(text)[1]


def canonical_blanks(text: str) -> tuple[str, int]:
    """Return a text with every blank written as `____`, and how many there are.

    A leading instruction ("Fill in the blank:") goes where there is a blank.
    """
    spans = [match.span() for match in _NO_BLANK.finditer(text)]
    code = code_spans(text)
    # Dots in a passage, or before its question, are an ellipsis.
    asks_elsewhere = asks(text) and _LATER_SENTENCE.search(text)
    elided = asks_elsewhere or len(text.split()) > _PASSAGE_WORDS
    found = 0

    def write(match: re.Match[str]) -> str:
        nonlocal found
        if any(start <= match.start() < end for start, end in spans):
            return match.group()
        # Two strokes and more are a gap to be filled in code, too.
        in_code = any(start <= match.start() < end for start, end in code)
        if in_code and match.group().count("_") < 2:
            return match.group()
        if elided and match.group().strip()[0] in ".…-–—":
            return match.group()
        found += 1
        space = " " if match.group()[0] in " \t" else ""
        return space + BLANK

    written = _BLANK.sub(write, text)
    if not found:
        return text, 0
    return _space_blanks(_INSTRUCTION.sub("", written)), found


def is_question(text: str) -> bool:
    """Return whether a text with blanks already asks ("Who wrote ____, and when?")."""
    return bool(
        asks(text)
        and re.match(r"\s*(?:what|which|who|whom|whose|when|where|why|how)\b", text, re.IGNORECASE)
    )


def lost_words(statement: str, question: str) -> list[str]:
    """Return the content words of a statement that a question made of it lacks.

    A verb may change its form ("declares" to "does … declare"); a number may not.
    """
    there = content_words(question)
    stems = {stem(word) for word in there}
    return [
        word
        for word in content_words(statement)
        if word not in there and (word[:1].isdigit() or stem(word) not in stems)
    ]


def question_defect(statement: str, question: str) -> str:
    """Return why a question made of a statement with blanks is not fit, '' where it is.

    Args:
        statement: The statement, blanks written `____`.
        question: The question made of it.
    """
    if not asks(question):
        return "does not end in a question mark"
    if defect := language_defect(statement, question):
        return defect
    if lost := lost_words(statement, question):
        return f"lost the words {', '.join(lost[:5])}"
    blanks = question.count(BLANK)
    if blanks not in (0, statement.count(BLANK)):
        return f"has {blanks} of {statement.count(BLANK)} blanks"
    return ""


def _space_blanks(text: str) -> str:
    """Give blanks that touch a word a space ("is_____." and "_____to")."""
    text = re.sub(rf"(?<=[\w,;:]){BLANK}(?!_)", f" {BLANK}", text)
    text = re.sub(rf"{BLANK}(?=[^\W_])", f"{BLANK} ", text)
    return text.strip()
