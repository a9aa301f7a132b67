"""Typing errors as people make them: whole words, one slip each, never in a number."""

import math
import random
import re

from kd_kedro.text.words import word_set

_NEIGHBOURS = {
    "a": "sqz", "b": "vgn", "c": "xdv", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht",
    "h": "gjy", "i": "uok", "j": "hku", "k": "jli", "l": "kop", "m": "nj", "n": "bmh",
    "o": "ipl", "p": "ol", "q": "wa", "r": "etf", "s": "adw", "t": "ryg", "u": "yij",
    "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xa",
}  # fmt: skip
# A slip in one of these would change what is asked, not how it is spelt.
_KEPT = word_set(
    "never none neither without cannot except excluding unless hardly false incorrect "
    "untrue wrong invalid unable fail fails lack lacks nobody nothing nowhere three four "
    "five seven eight nine eleven twelve twenty thirty forty fifty hundred thousand lakh "
    "lakhs crore crores million billion half twice double triple"
)


def add_typos(text: str, share: float, rng: random.Random) -> str:
    """Return a text with one typing error in a share of its words.

    Only lower-case words of four letters and more are touched: no number, no word with a digit,
    no acronym, no name, no negation, no call.

    Args:
        text: The text.
        share: Share of all its words that get an error, 0 to 1.
        rng: The source of chance.
    """
    words = list(re.finditer(r"\S+", text))
    wanted = math.floor(len(words) * share)
    fit = [match for match in words if _may_err(match.group())]
    chosen = rng.sample(fit, min(max(wanted, 1 if fit else 0), len(fit)))
    for match in sorted(chosen, key=lambda match: -match.start()):
        core = re.search(r"[a-z]+", match.group())
        if core:
            start = match.start() + core.start()
            text = text[:start] + _slip(core.group(), rng) + text[start + len(core.group()) :]
    return text


def _may_err(token: str) -> bool:
    core = token.strip(".,;:!?\"'()[]“”‘’")
    is_call = f"{core}()" in token
    return bool(re.fullmatch(r"[a-z]{4,}", core)) and core not in _KEPT and not is_call


def _slip(word: str, rng: random.Random) -> str:
    """Return a word with two letters swapped, one doubled, left out or hit beside its key."""
    # The first letter is hardly ever the wrong one.
    place = rng.randrange(1, len(word) - 1)
    kinds = ["left out", "beside"]
    if word[place] != word[place + 1]:
        kinds += ["swapped", "swapped"]
    if word[place] not in (word[place - 1], word[place + 1]):
        kinds.append("doubled")
    kind = rng.choice(kinds)
    if kind == "swapped":
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if kind == "doubled":
        return word[:place] + word[place] + word[place:]
    if kind == "left out":
        return word[:place] + word[place + 1 :]
    return word[:place] + rng.choice(_NEIGHBOURS[word[place]]) + word[place + 1 :]
