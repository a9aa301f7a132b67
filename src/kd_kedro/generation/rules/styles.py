"""Rewrites of a question that keep what it asks: other frames, formal and casual tone.

Each style lists its rewrites of a text from the most specific to the plainest; which of them is
taken is drawn from the seed. No rule touches a noun, a number or a negation.
"""

import re
from collections.abc import Callable

from kd_kedro.generation.rules.frames import AUXILIARY, FRAMES, NO_NOUN_PHRASE
from kd_kedro.text.grammar import lower_first, split_sentences
from kd_kedro.text.words import word_set

Rewrite = Callable[[str], list[str]]

_COMMAND = re.compile(
    r"(?:please )?(?P<verb>explain|describe|discuss|define|state|list|name|give|provide|identify|"
    r"outline|calculate|compute|find|determine|differentiate|distinguish|compare|mention|"
    r"prepare|record|show|pass|write|work out|tell|classify|indicate|suggest|select|"
    r"advise|journalise|journalize|enumerate|elaborate)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|can|could|do|does|did|will|"
    r"would|should|may|must|has|have|had|(?:in|on|at|by|for|from|to|under|of|with) "
    r"(?:what|which|whom|whose))\b",
    re.IGNORECASE,
)
# "When, if ever, is it due" and "In which year, if any, is it due" begin with no condition.
_CONDITION = re.compile(
    rf"^(?!when(?:,| {AUXILIARY})|"
    r"(?:according to|as per|\w+) (?:what|which|whom?|whose|how|when|where|why)\b)"
    r"(?P<condition>(?:If|When|Given(?: that)?|Suppose|Assuming(?: that)?|According to|As per|"
    r"Under|In|For|On|At|During|After|Before|While|With|By)\b[^?]+?), "
    r"(?P<ask>(?:what|which|who|when|where|why|how|is|are|can|does|do|will|would|should)\b[^?]+)\?$",
    re.IGNORECASE,
)
_CONDITION_LAST = re.compile(
    r"^(?!\w+ (?:if|when)\b)(?P<ask>(?:What|Which|Who|Where|Why|How)\b[^?,]+?)"
    # Between commas (that of "Act, 1872" aside), or without a verb ("if any"), it is a
    # parenthesis and stays in its place.
    r"(?:,(?![^?]*, (?!\d)))? (?!if (?:any|ever|at all|so|not)[,?])"
    r"(?P<condition>(?:if|when|given that|assuming that|according to|as per)\b[^?]+)\?$"
)
_CONTRACTIONS = {
    "what is": "what's", "who is": "who's", "where is": "where's", "how is": "how's",
    "it is": "it's", "that is": "that's", "there is": "there's", "is not": "isn't",
    "are not": "aren't", "was not": "wasn't", "were not": "weren't", "does not": "doesn't",
    "do not": "don't", "did not": "didn't", "cannot": "can't", "can not": "can't",
    "could not": "couldn't", "would not": "wouldn't", "should not": "shouldn't",
    "will not": "won't", "has not": "hasn't", "have not": "haven't", "you are": "you're",
    "they are": "they're", "we are": "we're", "i am": "I'm",
}  # fmt: skip
_EXPANSIONS = {short: long for long, short in _CONTRACTIONS.items() if long != "can not"}


def general(text: str) -> list[str]:
    """Return the same question in other frames."""
    head, last = _last_sentence(text)
    found = _reframed(last)
    if _COMMAND.match(last):
        core = _sentence_core(last)
        found += [f"Can you {core}?", f"Would you {core}?"]
    elif not found and (_ASKS.match(last) or last.endswith("?")):
        # An opening says nothing new: only where no other frame is known.
        found += [f"{opening} {_lower(last)}" for opening in _GENERAL_OPENINGS]
    return [head + rewrite for rewrite in found]


def formal(text: str) -> list[str]:
    """Return the question in polite, unabbreviated words."""
    head, last = _last_sentence(_expand(text))
    found: list[str] = []
    if indirect := _indirect(last):
        found += [f"{opening} {indirect}?" for opening in _FORMAL_INDIRECT]
    if _COMMAND.match(last):
        core = _sentence_core(last)
        found += [f"Could you please {core}?", f"Kindly {core}.", f"You are requested to {core}."]
    for asked in _asked(last):
        found += [f"{opening} {_lower(asked)}" for opening in _FORMAL_OPENINGS]
    return [head + rewrite for rewrite in found]


def casual(text: str) -> list[str]:
    """Return the question as one would ask it in talk."""
    head, last = _last_sentence(text)
    found: list[str] = []
    if _COMMAND.match(last):
        core = _sentence_core(_contract(last))
        found += [f"Hey, can you {core}?", f"Just {core}, okay?", f"Can you {core} for me?"]
    elif indirect := _indirect(last):
        found += [f"{opening} {_contract(indirect)}?" for opening in _CASUAL_INDIRECT]
    for asked in _asked(last):
        found += [f"{opening} {_contract(_lower(asked))}" for opening in _CASUAL_OPENINGS]
    return [_contract(head) + rewrite for rewrite in found]


def _asked(sentence: str) -> list[str]:
    """Return a question, where a sentence is one, and the same question in other frames."""
    own = sentence.endswith("?") or (_ASKS.match(sentence) and not _COMMAND.match(sentence))
    frames = [frame for frame in _reframed(sentence) if _ASKS.match(frame)]
    return [sentence, *frames] if own else frames


def _reframed(sentence: str) -> list[str]:
    return [new for frame in FRAMES for new in _apply(frame, sentence)] + _moved_condition(sentence)


_NO_NOUN_PHRASE = word_set(
    "that which who if when where while because to by used called known meant considered not under "
    "being done it than responsible liable entitled eligible allowed "
    "regarded required needed included recorded treated"
)
_GENERAL_OPENINGS = (
    "Please answer this:",
    "Please tell me:",
    "Answer the following:",
    "Consider this:",
    "A question:",
    "Give an answer to this:",
)
_FORMAL_OPENINGS = (
    "Kindly answer the following question:",
    "I would like to ask:",
    "Could you please clarify the following:",
    "Kindly advise:",
    "May I enquire:",
    "Please be so kind as to answer this:",
    "I should be grateful for an answer to the following:",
)
_FORMAL_INDIRECT = (
    "Could you please state",
    "Could you kindly tell me",
    "May I know",
    "May I ask",
    "Would you kindly clarify",
)
_CASUAL_OPENINGS = (
    "So,",
    "Hey,",
    "Okay,",
    "Quick question:",
    "Just wondering,",
    "By the way,",
    "Tell me,",
    "Just curious,",
    "Help me out here:",
    "Right,",
)
_CASUAL_INDIRECT = ("Do you know", "Can you tell me", "Hey, do you know", "Any idea")


def _apply(frame: tuple[re.Pattern[str], tuple[str, ...]], text: str) -> list[str]:
    pattern, rewrites = frame
    match = pattern.match(text)
    if not match:
        return []
    found = [rewrite.format(**match.groupdict()) for rewrite in rewrites]
    return [text[0].upper() + text[1:] for text in found]


def _moved_condition(text: str) -> list[str]:
    if match := _CONDITION.match(text):
        ask, condition = match["ask"], match["condition"]
        comma = "" if condition.lower().startswith(("if ", "when ", "in ", "under ")) else ","
        return [f"{ask[0].upper()}{ask[1:]}{comma} {_lower(condition)}?"]
    if match := _CONDITION_LAST.match(text):
        condition, ask = match["condition"], match["ask"]
        return [f"{condition[0].upper()}{condition[1:]}, {_lower(ask)}?"]
    return []


def _indirect(text: str) -> str | None:
    """Return a direct question as a clause: `What is the X of Y?` to `what the X of Y is`."""
    match = re.match(r"^(what|who) (is|are|was|were) ([^,;:?]+)\?$", text, re.IGNORECASE)
    if match:
        asker, verb, rest = match[1].lower(), match[2].lower(), match[3]
        return f"{asker} {rest} {verb}" if _is_noun_phrase(rest.split()) else None
    match = re.match(r"^what does ((?:an? |the )?[\w' -]{2,40}?) mean\?$", text, re.IGNORECASE)
    if match:
        return f"what {match[1]} means"
    match = re.match(
        r"^(?:what|which|who) (?!is\b|are\b|was\b|were\b)(\w+)\b[^,;:?]+\?$", text, re.IGNORECASE
    )
    if match and match[1].lower() in (
        "happens",
        "determines",
        "constitutes",
        "makes",
        "distinguishes",
    ):
        return _lower(text[:-1])
    return None


def _is_noun_phrase(words: list[str]) -> bool:
    """Return whether what follows "What is" is a short noun phrase, to put the verb after."""
    if re.match(NO_NOUN_PHRASE, " ".join(words), re.IGNORECASE):
        return False
    return 1 <= len(words) <= 9 and not _NO_NOUN_PHRASE & {word.lower() for word in words}


def _last_sentence(text: str) -> tuple[str, str]:
    """Return what comes before the last sentence, space included, and the last sentence."""
    flat = text.strip()
    sentences = split_sentences(flat)
    last = sentences[-1]
    at = flat.rfind(last)
    return (flat[:at], last) if at > 0 else ("", flat)


def _lower(text: str) -> str:
    contracted = re.match(r"\w+(?:'s|n['’]t)\b", text)
    if _ASKS.match(text) or (
        contracted and (contracted[0].endswith("t") or _ASKS.match(text.split("'", maxsplit=1)[0]))
    ):
        return text if text[:2].isupper() else text[0].lower() + text[1:]
    words = text.split(" ")
    return " ".join([*lower_first(words[:1]), *words[1:]])


def _sentence_core(command: str) -> str:
    core = command.rstrip(" .?!:")
    core = re.sub(r"^please ", "", core, flags=re.IGNORECASE)
    return core[0].lower() + core[1:]


def _contract(text: str) -> str:
    # At its end a sentence keeps a verb in full: "Do you know what it is?"
    return _swap(text, _CONTRACTIONS, r"(?:(?<=not)|(?=\s+\S))")


def _expand(text: str) -> str:
    text = text.replace("’", "'") if re.search(r"\w’\w", text) else text
    text = _INVERTED.sub(_uninverted, text)
    return _swap(text, _EXPANSIONS, r"(?! (?:been|got|had|become|happened|gone)\b)")


# In "Don't we pay?" the subject comes before the "not"; where a long one ends is not known, and
# such a question keeps its contraction.
_INVERTED = re.compile(r"\b(?P<verb>\w+n't) (?P<subject>i|we|you|he|she|it|they|there)\b", re.I)
_INVERTING = re.compile(
    r"(?:^|[^\w\s']\s*|\b(?:and|but|or|so|then|why|how|when|where|what) )$", re.IGNORECASE
)
_NO_QUESTION = re.compile(r"[^?]*?[.!](?:\s|$)")


def _uninverted(match: re.Match[str]) -> str:
    long = _EXPANSIONS.get(match["verb"].lower())
    if long is None or match.group().lower() == "aren't i":
        return match.group()
    verb = long.removesuffix("not").strip()
    verb = verb.capitalize() if match["verb"][0].isupper() else verb
    return f"{verb} {match['subject']} not"


def _swap(text: str, table: dict[str, str], where: str) -> str:
    words = "|".join(map(re.escape, table))
    pattern = re.compile(rf"\b({words})\b{where}", re.IGNORECASE)

    def write(match: re.Match[str]) -> str:
        short = match.group().lower()
        asks = short.endswith("n't") and not _NO_QUESTION.match(text, match.end())
        if asks and _INVERTING.search(text[: match.start()]):
            return match.group()
        new = table[short]
        return new[0].upper() + new[1:] if match.group()[0].isupper() else new

    return pattern.sub(write, text)
