"""What makes a model's reply unfit: each check names a defect, or says nothing.

The checks are strict: a good text that is turned away leaves its row as it was, a bad one that is
let in is in the data.
"""

import re
import unicodedata

from kd_kedro.generation.prompts import Message
from kd_kedro.generation.protocol import Request
from kd_kedro.text.boilerplate import contamination
from kd_kedro.text.language import QUESTION_MARKS, SENTENCE_ENDS, asks, language_defect
from kd_kedro.text.normalise import words_only
from kd_kedro.text.words import word_set

_LIST_MARK = re.compile(
    r"^\s*(?:[-*•]|\(?\d{1,2}[.)]|\(?[a-z][.)]|(?:option|version)\s*\w+\s*:)\s", re.I
)
_OR = re.compile(
    r"[?.]\s{0,20}[/|]\s{0,20}\w|"
    r"[?.]\W{0,20}\b(?:or|alternatively|or else)\b\s{0,20}[:,]?\s{1,20}\S+(?:\s+\S+){3}",
    re.I,
)
_ASKS = re.compile(
    r"\b(?:know|tell|explain|define|describe|state|wonder\w*|clarify|discuss|list|name|give|find|"
    r"calculate|compute|determine|show|identify|distinguish|differentiate|compare|contrast|outline|"
    r"write|work out|prepare|pass|record|mention|please|kindly|elaborate|illustrate|specify|"
    r"provide|indicate|choose|select|classify|analy[sz]e|justify|prove|suggest|summari[sz]e|advise|ask)\b",
    re.IGNORECASE,
)
# What the one who asks says of himself; everything else in the first person is the model's.
_ASKER = re.compile(
    r"\bi(?:['’]m| am)(?: (?:just|a bit|rather|quite))? (?:curious|wondering|trying|looking|"
    r"interested|confused|unsure|keen|eager|seeking|asking)\b|"
    r"\bi(?:['’]m| am) not sure (?:how|what|why|which|when|if)\b|"
    r"\bi (?:do not|don['’]?t|cannot|can['’]?t) (?:quite |really )?"
    r"(?:understand|know|see|get|recall|remember|figure) (?:how|what|why|which|when|if)\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(
    r"\bi(?:['’](?:m|ll)| am| will| cannot| can['’]?t| could not| do not| don['’]t| must|"
    r" won['’]t| think| believe| understand| see)\b",
    re.IGNORECASE,
)
_MARKUP = frozenset("{}[]<>|\\`#*_~^=")
_BREAKS_OFF = word_set("a an the of to in on for with and or by from at is are was that which as")
_BLANK = re.compile(r"_{2,}|\[\s*blank\s*\]|\[\s*\]", re.IGNORECASE)

_SCRIPTS = word_set(
    "LATIN CYRILLIC GREEK ARABIC HEBREW CJK HIRAGANA KATAKANA HANGUL DEVANAGARI BENGALI TAMIL "
    "TELUGU GUJARATI GURMUKHI KANNADA MALAYALAM THAI LAO TIBETAN GEORGIAN ARMENIAN ETHIOPIC"
)


def reply_defect(request: Request, messages: list[Message], text: str) -> str:
    """Return what makes a reply unfit to stand in the data, or '' where nothing does.

    Args:
        request: What was asked for.
        messages: The messages by which it was asked.
        text: The reply without what surrounds it.
    """
    if not re.search(r"[^\W\d_]", text):
        return "empty" if not text else f"no words: {text[:60]!r}"
    if broken := next((char for char in text if _is_broken(char)), ""):
        return f"broken character U+{ord(broken):04X}"
    return (
        contamination(text, request.text)
        or repeats_prompt(request, messages, text)
        or _several(request.text, text)
        or _language_defect(request, text)
        or _length_defect(request.text, text)
        or _task_defect(request, text)
        or _strange(request.text, text)
        or _form_defect(request.text, text)
    )


def answer_defect(question: str, answer: str) -> str:
    """Return what makes an answer to a question unfit to learn from, or '' where nothing does."""
    if not re.search(r"\w", answer):
        return "empty" if not answer else f"no words: {answer[:60]!r}"
    if broken := next((char for char in answer if _is_broken(char)), ""):
        return f"broken character U+{ord(broken):04X}"
    if words_only(answer) == words_only(question):
        return "the question again"
    return contamination(answer, question)


def repeats_prompt(request: Request, messages: list[Message], text: str) -> str:
    """Return a defect where a reply says an instruction of its prompt."""
    said, source = words_only(text), words_only(request.text)
    for message in messages:
        for sentence in re.split(r"(?<=[.:?!])\s+|\n", message["content"]):
            words = words_only(sentence)
            if len(words.split()) >= 4 and words in said and words not in source:
                return f"repeats its prompt: {sentence.strip()[:60]!r}"
    return ""


def _several(source: str, text: str) -> str:
    """Return a defect where a reply is a list, or asks the same thing twice."""
    lines = [line for line in text.splitlines() if line.strip()]
    source_lines = [line for line in source.splitlines() if line.strip()]
    if len(lines) > max(1, len(source_lines)):
        return "several lines where one text was asked for"
    if _LIST_MARK.match(text) and not _LIST_MARK.match(source):
        return "an item of a list"
    if _OR.search(text) and not _OR.search(source):
        return "several candidates"
    words = set(words_only(source).split())
    asking = [
        frozenset(words_only(part).split()) for part in re.findall(r"(?<![^.?!])[^.?!]+\?", text)
    ]
    whole = [part for part in asking if len(part & words) >= 0.45 * len(words)]
    twice = len(set(asking)) < len(asking) and text.count("?") > source.count("?")
    return "several candidates" if len(whole) > 1 or twice else ""


def _length_defect(source: str, text: str) -> str:
    had, has = len(source.split()), len(text.split())
    if has > 3 * had + 20:
        return f"runs on: {has} words from {had}"
    if has < 0.25 * had or (has < 2 <= had):
        return f"too short: {has} words from {had}"
    return ""


def _language_defect(request: Request, text: str) -> str:
    if new := _scripts(text) - _scripts(request.text):
        return f"another script: {min(new).lower()}"
    return language_defect(request.text, text, request.context.get("answer", ""))


def _task_defect(request: Request, text: str) -> str:
    opens = request.task in ("fitb", "mcq")
    if _BLANK.search(text) and (opens or not _BLANK.search(request.text)):
        return "has a blank"
    if opens or asks(request.text):
        after = re.split(f"[{QUESTION_MARKS}]", text)[-1]
        asked = after != text or asks(text)
        if not asked and not _ASKS.search(" ".join(text.split()[:8])):
            return "asks nothing"
        alone = len(re.findall(rf"[{SENTENCE_ENDS}](?:\s|\Z)", request.text)) <= 1
        if alone and after != text and len(after.split()) > 2 and not _ASKS.search(after):
            return "goes on after its question"
    if not opens:
        return ""
    answer = words_only(request.context.get("answer", ""))
    gives = answer and f" {answer} " in f" {words_only(text)} "
    if gives and f" {answer} " not in f" {words_only(request.text)} ":
        return "gives the answer away"
    return ""


def _strange(source: str, text: str) -> str:
    """Return a defect where a reply has no word of its source, not even another form of one."""
    stems = {word[:4] for word in words_only(source).split() if len(word) > 3}
    if len(stems) >= 3 and not stems & {word[:4] for word in words_only(text).split()}:
        return "no word of the text is left"
    return ""


def _form_defect(source: str, text: str) -> str:
    """Return a defect where a reply has markup, breaks off, or speaks of the model itself."""
    if new := (set(text) & _MARKUP) - set(source):
        return f"markup: {min(new)}"
    words, had = words_only(text).split(), words_only(source).split()
    if text[-1].isalnum() and words[-1] in _BREAKS_OFF and words[-1:] != had[-1:]:
        return "breaks off"
    if _FIRST_PERSON.search(_ASKER.sub("", text)) and not re.search(r"(?i)\b(?:i|me|my)\b", source):
        return "speaks of itself"
    return ""


def _is_broken(char: str) -> bool:
    return char == "\ufffd" or (
        unicodedata.category(char) in ("Cc", "Cs", "Co") and char not in "\r\n\t"
    )


def _scripts(text: str) -> set[str]:
    letters = {char for char in text if char.isalpha()}
    # A single letter of another script is a symbol, as in "µ" or "Σ".
    names = [unicodedata.name(char, "").split(" ")[0] for char in letters]
    return {name for name in names if name in _SCRIPTS and (names.count(name) > 1 or name == "CJK")}
