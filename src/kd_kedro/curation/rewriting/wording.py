"""What a rewrite loses, adds or exchanges word by word, and text that is no question at all."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from kd_kedro.text.words import FRAME, root, word_set

_WORD = re.compile(r"[^\W\d_]+(?:[&.-][^\W\d_]+)*|\d+(?:[.,]\d+)*")
_ASKERS = (
    ("who", re.compile(r"\bwhom?\b|\bwhose\b|\bwhich (?:person|party|partner|individual)")),
    (
        "when",
        re.compile(r"(?:^|[.,:]\s*)when\b(?=[^,]*\?)|\bat what (?:time|point|date|stage)|"
                   r"\b(?:what|which) (?:year|date|day|month|time)"),
    ),
    ("where", re.compile(r"\bwhere\b|\b(?:what|which) (?:place|location|country|city|side)\b")),
    (
        "why",
        re.compile(
            r"\bwhy\b|\breasons?\b|\bhow come\b|\bwhat (?:makes|leads)\b|\bcauses?\b|\brationale\b"
        ),
    ),
    ("how many", re.compile(r"\bhow (?:many|much)\b|\bnumber of\b|\bamount\b|\btotal\b|\bcount\b")),
)  # fmt: skip
_ASKS = re.compile(r"\b(?:what|which|who|whom|whose|when|where|why|how)\b")
_MARK = re.compile(r"\?+(?=\s|$)")
_COMMANDS = re.compile(
    r"\b(?:is|are|was|were|can|could|do|does|did|will|would|should|shall|has|have|had|may|must)"
    r"(?:n't)? (?:the|a|an|it|there|this|that|they|he|she|we|you|i|one|all|any|such)\b"
    r"|(?:^|[.,:;!?]\s+|\b(?:please|kindly|to|you|and|just|say|could|can|would)\s+)(?:explain|describe|discuss|"
    r"define|state|list|name|give|provide|identify|outline|calculate|compute|find|determine|"
    r"differentiate|distinguish|compare|mention|prepare|record|show|pass|write|work out|tell|"
    r"classify|indicate|suggest|select|advise|journali[sz]e|enumerate|elaborate|say|specify|"
    r"choose|clarify|illustrate|summari[sz]e|analy[sz]e|evaluate)\b"
)
# The gate of numbers reads these.
_NUMBERS = word_set(
    "zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty "
    "hundred thousand lakh lakhs crore crores million billion half twice double percent rs rupees "
    "rupee dollars dollar per cent inr usd"
)
_ACRONYM = re.compile(r"\b[A-Z]{2,6}\b")
_WINDOW = 3
MOST_ANCHORS = 100  # compared in pairs; a question has a handful
MAX_LOSS, MAX_GAIN = 0.15, 0.5


@dataclass(frozen=True)
class Anchor:
    """A word that must stay where it stands, with what stands around it.

    Attributes:
        key: The word, or the value of a number.
        around: The nearest words, each with the side it stands on (-1 left, 1 right).
    """

    key: str
    around: frozenset[tuple[int, str]]


def clause_defect(
    source: str, rewrite: str, max_loss: float = MAX_LOSS, max_gain: float = MAX_GAIN
) -> str:
    """Return how many telling words a rewrite drops or adds without a counterpart, '' if few.

    A word said otherwise is lost and another one new; a clause that was dropped leaves words
    lost and none new.

    Args:
        source: The text as it was.
        rewrite: The text made of it.
        max_loss: Largest share of the source's telling words that may be lost for nothing.
        max_gain: Largest share of telling words, of the source's, that may be new for nothing.
    """
    was, now = telling_words(source), telling_words(rewrite)
    size, lost, new = was.total(), (was - now).total(), (now - was).total()
    if lost - new - _abbreviated(source, rewrite) > max(1, max_loss * size):
        return f"clause dropped: {lost} of {size} telling words lost, {new} new"
    if new - lost - _abbreviated(rewrite, source) > max(3, max_gain * size):
        return f"clause added: {new} telling words new, {lost} of {size} lost"
    return ""


def _abbreviated(text: str, short: str) -> int:
    """Return how many words of a text an acronym that only stands in the other may hold."""
    known = set(_ACRONYM.findall(text))
    return sum(len(word) - 1 for word in set(_ACRONYM.findall(short)) - known)


def asker_defect(source: str, rewrite: str) -> str:
    """Return which kind of answer a rewrite asks for instead of its source's, '' where the same."""
    small, new = source.casefold(), rewrite.casefold()
    was = {kind for kind, pattern in _ASKERS if pattern.search(small)}
    now = {kind for kind, pattern in _ASKERS if pattern.search(new)}
    if was - now and now - was:
        return f"asks for another answer: {min(was - now)} became {min(now - was)}"
    if _ASKS.search(small) and not (_ASKS.search(new) or _COMMANDS.search(new)):
        return "asks nothing"
    return ""


def further_question_defect(source: str, rewrite: str) -> str:
    """Return that a rewrite asks more questions than its source, '' where it does not.

    One that asks for two things may be asked in two sentences.
    """
    most = max(1, len(_MARK.findall(source)), len(_ASKS.findall(source.casefold())))
    asked = len(_MARK.findall(rewrite))
    return f"asks {asked} questions where its source asks {most}" if asked > most else ""


def telling_words(text: str) -> Counter[str]:
    """Return the stems of the words that say what a text is about, and how often each does."""
    words = re.findall(r"[^\W\d_]{2,}", text.casefold().replace("’s", "").replace("'s", ""))
    return Counter(root(word) for word in words if word not in FRAME and word not in _NUMBERS)


def exchanged(before: Sequence[Anchor], after: Sequence[Anchor]) -> str:
    """Return two anchors that stand in each other's place in a rewrite, '' where none do."""
    was, now = _places(before), _places(after)
    for a, b in combinations(sorted(was.keys() & now.keys())[:MOST_ANCHORS], 2):
        own = len(was[a] & now[a]) + len(was[b] & now[b])
        crossed = len(was[a] & now[b]) + len(was[b] & now[a])
        if crossed > own:
            return f"{a} and {b} exchanged"
    return ""


def anchors(text: str, marks: Sequence[tuple[int, int, str]]) -> list[Anchor]:
    """Return anchors with the words around them.

    Args:
        text: The text.
        marks: Where each anchor starts and ends, and its key.
    """
    # Another anchor's own word tells nothing: it may be the one exchanged.
    starts = {start for start, _, _ in marks}
    known = [(place, word) for place, word in _words_with_places(text) if place not in starts]
    places = [place for place, _ in known]
    found = []
    for start, end, key in marks:
        before, after = bisect_left(places, start), bisect_left(places, end)
        left, right = known[max(0, before - _WINDOW) : before], known[after : after + _WINDOW]
        around = [*((-1, word) for _, word in left), *((1, word) for _, word in right)]
        found.append(Anchor(key, frozenset(around)))
    return found


def _places(found: Sequence[Anchor]) -> dict[str, frozenset[tuple[int, str]]]:
    """Return what stands around each key, wherever it stands."""
    places: dict[str, frozenset[tuple[int, str]]] = {}
    for each in found:
        places[each.key] = places.get(each.key, frozenset()) | each.around
    return places


def _words_with_places(text: str) -> Iterator[tuple[int, str]]:
    for match in _WORD.finditer(text):
        yield match.start(), match.group().casefold()
