"""Words that may stand for each other in a question without changing what it asks.

Adjectives, adverbs and links; hardly a noun, never a number, a negation or a term of the trade.
"""

import random
import re

# Each style's exchange, with what may not follow: "primary market" is a term, "main()" a call.
_TERM = r"(?! (?:market|data|sector|source|cost|book|group|deficit|produc|key|industr|earn)|[-(])"
_BOTH: dict[str, tuple[str, ...]] = {
    "typically": ("usually", "generally", "normally"),
    "usually": ("typically", "generally", "normally"),
    "commonly": ("often", "frequently"),
    "frequently": ("often",),
    "often": ("frequently",),
    "primarily": ("mainly", "chiefly"),
    "mainly": ("primarily", "chiefly"),
    "primary": ("main", "chief"),
    "main": ("chief", "primary"),
    "key": ("main", "chief"),
    "crucial": ("vital",),
    "vital": ("crucial",),
    "various": ("different",),
    "significance": ("importance",),
    "importance": ("significance",),
    "characteristics": ("features",),
    "features": ("characteristics",),
    "regarding": ("concerning",),
    "concerning": ("regarding",),
    "type of": ("kind of",),
    "types of": ("kinds of",),
    "kind of": ("type of",),
    "kinds of": ("types of",),
    "such as": ("like",),
    "in order to": ("to",),
    "potential": ("possible",),
    "significant": ("notable",),
    "utilized": ("used",),
    "utilize": ("use",),
    "individuals": ("people",),
    "numerous": ("many",),
}
_FORMAL: dict[str, tuple[str, ...]] = {
    "usually": ("typically",),
    "often": ("frequently",),
    "mainly": ("primarily",),
    "main": ("primary",),
    "importance": ("significance",),
    "features": ("characteristics",),
    "kind of": ("type of",),
    "kinds of": ("types of",),
    "get": ("obtain",),
}
_CASUAL: dict[str, tuple[str, ...]] = {
    "typically": ("usually",),
    "frequently": ("often",),
    "commonly": ("often",),
    "primarily": ("mainly",),
    "primary": ("main",),
    "key": ("main",),
    "significance": ("importance",),
    "characteristics": ("features",),
    "regarding": ("about",),
    "concerning": ("about",),
    "types of": ("kinds of", "sorts of"),
    "type of": ("kind of", "sort of"),
    "obtain": ("get",),
    "ensure": ("make sure",),
    "such as": ("like",),
    "in order to": ("to",),
    "utilized": ("used",),
    "utilize": ("use",),
    "individuals": ("people",),
    "numerous": ("many",),
    "crucial": ("vital",),
}
_TABLES = {"formal": _FORMAL, "casual": _CASUAL, "general": _BOTH, "rephrase": _BOTH}


def exchange(text: str, style: str, most: int, rng: random.Random) -> str:
    """Return a text with up to so many of its words said otherwise.

    Args:
        text: The text.
        style: `formal`, `casual`, `general` or `rephrase`.
        most: Words to exchange at most.
        rng: The source of chance.
    """
    table = _TABLES[style]
    words = "|".join(sorted(map(re.escape, table), key=len, reverse=True))
    found = list(re.finditer(rf"(?<![\w-])(?:{words})\b{_TERM}", text))
    for match in sorted(rng.sample(found, min(most, len(found))), key=lambda m: -m.start()):
        new = rng.choice(table[match.group()])
        before = re.sub(r"\b([Aa])n?(?=\s$)", rf"\1{_article_end(new)}", text[: match.start()])
        text = before + new + text[match.end() :]
    return text


def _article_end(word: str) -> str:
    return "n" if word[0] in "aeio" else ""
