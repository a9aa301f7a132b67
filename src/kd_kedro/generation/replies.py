"""From what a language model replied to an outcome: only a clean text is `ok`.

What surrounds a good text (a lead that ends in a colon, quotes around the whole) is taken off
where that is certain; everything doubtful is rejected.
"""

import re
import unicodedata
from dataclasses import dataclass

from kd_kedro.contamination import contamination
from kd_kedro.generation.grammar import word_set
from kd_kedro.generation.prompts import Message
from kd_kedro.generation.protocol import Request, Status

YES_NO = ("yes", "no")

_LEAD = re.compile(
    r"\A\W*(?:(?:sure|certainly|of course|absolutely|okay|ok)\b[^:\n]{0,60}?)?"
    r"(?:(?:here(?:['’]s| is)|this is)\b[^:?\n]{0,80}|"
    r"(?:(?:the|my)\s+)?(?:(?:formal|casual|general|simple|final|possible)\s+)?"
    r"(?:rephrased|rewritten|reworded|paraphrased?|converted)?\s*"
    r"(?:question|version|rephrasing|rewrite|paraphrase|output|statement))"
    r"\**\s*:\**\s*",
    re.IGNORECASE,
)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "`": "`"}
_LIST_MARK = re.compile(
    r"^\s*(?:[-*•]|\(?\d{1,2}[.)]|\(?[a-z][.)]|(?:option|version)\s*\w+\s*:)\s", re.I
)
_OR = re.compile(r"[?.]\W*\b(?:or|alternatively|or else)\b\s*[:,]?\s+\S+(?:\s+\S+){3}", re.I)
_ASKS = re.compile(
    r"\b(?:know|tell|explain|define|describe|state|wonder\w*|clarify|discuss|list|name|give|find|"
    r"calculate|compute|determine|show|identify|distinguish|differentiate|compare|contrast|outline|"
    r"write|work out|prepare|pass|record|mention|please|kindly|elaborate|illustrate|specify|"
    r"provide|indicate|choose|select|classify|analy[sz]e|justify|prove|suggest|summari[sz]e|advise|ask)\b|"
    r"\A(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|can|could|should|"
    r"would|will|has|have|had|may|must)\b",
    re.IGNORECASE,
)
_BLANK = re.compile(r"_{2,}|\[\s*blank\s*\]|\[\s*\]", re.IGNORECASE)

_ENGLISH = word_set(
    "the a an of to in is are was were be what which who how why when where does do did for on by "
    "with and or that this it as at from can should would will must has have if under between"
)
_OTHER_LANGUAGES = word_set(
    "le les des une est que qui quelle quel dans pour avec sur du aux el los las qué cuál es una "
    "por para con del cómo der das und ist nicht eine wie was für mit von wird welche il che di è "
    "per gli della come quale o os é um uma não são de do da na qual como"
)


@dataclass(frozen=True)
class Reply:
    """What a model sent back.

    Attributes:
        text: Its words, as they came.
        finish: Why it stopped: `stop`, `length`, `content_filter` or another word of a server.
        prompt_tokens: Tokens it read.
        completion_tokens: Tokens it wrote.
    """

    text: str
    finish: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


def judge_reply(request: Request, messages: list[Message], reply: Reply) -> tuple[Status, str, str]:
    """Return status, text and reason of a reply: `ok`, `unchanged` or `rejected`."""
    defect = _finish_defect(reply.finish)
    text = "" if defect else bare_text(request, reply.text)
    if not defect and request.task == "relevance":
        return _judge_verdict(request, text)
    if not defect and text and _plain(text) == _plain(request.text):
        return "unchanged", request.text, "the model changed nothing"
    defect = defect or _defect(request, messages, text)
    if defect:
        return "rejected", request.text, defect
    return "ok", text, f"model: {request.task}"


def bare_text(request: Request, reply: str) -> str:
    """Return a reply without its thoughts, its lead and the quotes that surround the whole."""
    text = _THOUGHT.sub("", reply).strip()
    lead = _LEAD.match(text)
    if lead and not request.text.lower().startswith(lead.group().strip().lower()):
        text = text[lead.end() :].strip()
    text = text.removeprefix("**").removesuffix("**").strip() if text.startswith("**") else text
    closing = _QUOTES.get(text[:1], "")
    inside = text[1:-1]
    if (
        len(text) > 2
        and closing
        and text.endswith(closing)
        and text[0] not in inside
        and closing not in inside
        and not (request.text[:1] == text[0] and request.text[-1:] == closing)
    ):
        text = inside.strip()
    return text


def _judge_verdict(request: Request, text: str) -> tuple[Status, str, str]:
    found = {word for word in YES_NO if re.search(rf"\b{word}\b", text.lower())}
    first = re.match(r"\W*(yes|no)\b", text.lower())
    if not first or len(found) != 1:
        return "rejected", request.text, f"neither yes nor no: {text[:60]!r}"
    return "ok", first[1], "model: relevance"


def _finish_defect(finish: str) -> str:
    if finish == "length":
        return "cut off at max_tokens"
    if finish == "content_filter":
        return "refusal: the server's content filter"
    return ""


def _defect(request: Request, messages: list[Message], text: str) -> str:
    if not re.search(r"[^\W\d_]", text):
        return "empty" if not text else f"no words: {text[:60]!r}"
    if broken := next((char for char in text if _is_broken(char)), ""):
        return f"broken character U+{ord(broken):04X}"
    return (
        contamination(text, request.text)
        or _echo(request, messages, text)
        or _several(request.text, text)
        or _language_defect(request.text, text)
        or _length_defect(request.text, text)
        or _task_defect(request, text)
        or _strange(request.text, text)
    )


def _echo(request: Request, messages: list[Message], text: str) -> str:
    """Return a defect where a reply says an instruction of its prompt."""
    said, source = _plain(text), _plain(request.text)
    for message in messages:
        for sentence in re.split(r"(?<=[.:?!])\s+|\n", message["content"]):
            plain = _plain(sentence)
            if len(plain.split()) >= 4 and plain in said and plain not in source:
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
    words = set(_plain(source).split())
    asking = [frozenset(_plain(part).split()) for part in re.findall(r"[^.?!]+\?", text)]
    whole = [part for part in asking if len(part & words) >= 0.6 * len(words)]
    twice = len(set(asking)) < len(asking) and text.count("?") > source.count("?")
    return "several candidates" if len(whole) > 1 or twice else ""


def _length_defect(source: str, text: str) -> str:
    had, has = len(source.split()), len(text.split())
    if has > 3 * had + 20:
        return f"runs on: {has} words from {had}"
    if has < 0.25 * had or (has < 2 <= had):
        return f"too short: {has} words from {had}"
    return ""


def _language_defect(source: str, text: str) -> str:
    if new := _scripts(text) - _scripts(source):
        return f"another script: {min(new).lower()}"
    had, has = source.lower().split(), set(re.findall(r"\w+", text.lower()))
    foreign = (has & _OTHER_LANGUAGES) - _ENGLISH - set(had)
    if len(_ENGLISH & set(had)) >= 2 and len(foreign) >= 2 and len(foreign) > len(has & _ENGLISH):
        return f"another language: {', '.join(sorted(foreign)[:3])}"
    return ""


def _task_defect(request: Request, text: str) -> str:
    opens = request.task in ("fitb", "mcq")
    if _BLANK.search(text) and (opens or not _BLANK.search(request.text)):
        return "has a blank"
    if opens or request.text.rstrip().endswith("?"):
        after = text[text.rfind("?") + 1 :]
        if "?" not in text and not _ASKS.search(" ".join(text.split()[:8])):
            return "asks nothing"
        alone = len(re.findall(r"[.?!](?:\s|\Z)", request.text)) <= 1
        if alone and "?" in text and len(after.split()) > 2 and not _ASKS.search(after):
            return "goes on after its question"
    if not opens:
        return ""
    answer = _plain(request.context.get("answer", ""))
    gives = answer and f" {answer} " in f" {_plain(text)} "
    if gives and f" {answer} " not in f" {_plain(request.text)} ":
        return "gives the answer away"
    return ""


def _strange(source: str, text: str) -> str:
    """Return a defect where a reply has no word of its source, not even another form of one."""
    stems = {word[:4] for word in _plain(source).split() if len(word) > 3}
    if len(stems) >= 3 and not stems & {word[:4] for word in _plain(text).split()}:
        return "no word of the text is left"
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


_SCRIPTS = word_set(
    "LATIN CYRILLIC GREEK ARABIC HEBREW CJK HIRAGANA KATAKANA HANGUL DEVANAGARI BENGALI TAMIL "
    "TELUGU GUJARATI GURMUKHI KANNADA MALAYALAM THAI LAO TIBETAN GEORGIAN ARMENIAN ETHIOPIC"
)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
