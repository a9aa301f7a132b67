"""Damage that real sheets show in their text, and the typography that makes it visible."""

import re
import unicodedata
from random import Random

_WIDE = {ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}


def typographic(rng: Random, text: str) -> str:
    """Return the text with the signs of a word processor: at least one is not ASCII."""
    text = re.sub(r"(?<=\w)'(?=\w)", "’", text).replace(" - ", " – ")
    text = re.sub(r"'([^']+)'", r"‘\1’", text)
    words = list(re.finditer(r"\b[A-Za-z]{6,}\b", text)) or list(re.finditer(r"\w+", text))
    if text.isascii() or rng.random() < 0.5:
        word = rng.choice(words)
        before, after = rng.choice(("“”", "‘’", "“”"))
        text = f"{text[: word.start()]}{before}{word.group()}{after}{text[word.end() :]}"
    if rng.random() < 0.3:
        text = text.replace(", ", " — ", 1)
    return text


def mojibake(text: str) -> str:
    """Return the text's UTF-8 bytes read as cp1252, undefined bytes as C1 controls."""
    return "".join(_cp1252(byte) for byte in text.encode("utf-8"))


def odd_unicode(rng: Random, text: str) -> str:
    """Return the text with one kind of odd Unicode that prints like, or almost like, the text."""
    ways = [each for each in _ODD if each(rng, text) != text]
    return rng.choice(ways)(rng, text)


def lose_letters(rng: Random, text: str) -> str:
    """Return the text with one or two signs lost to U+FFFD."""
    letters = [match.start() for match in re.finditer(r"\w", text)]
    for place in rng.sample(letters, min(rng.choice((1, 2)), len(letters))):
        text = f"{text[:place]}\ufffd{text[place + 1 :]}"
    return text


def retouch(rng: Random, text: str) -> str:
    """Return the text with other case, punctuation or spacing and the same words."""
    ways = (
        text.lower(),
        text.upper() if len(text) < 90 else text.lower(),
        f"{text}..",
        text.rstrip(".?") + " ?",
        text.replace(" ", "  ", 2),
        f'"{text}"',
        text.rstrip(".?"),
    )
    return rng.choice([way for way in ways if way != text])


def _cp1252(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def _decomposed(_rng: Random, text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _no_break(_rng: Random, text: str) -> str:
    return (
        re.sub(r" (?=\d)", "\u00a0", text)
        if re.search(r" \d", text)
        else text.replace(" ", "\u00a0", 2)
    )


def _zero_width(rng: Random, text: str) -> str:
    place = text.find(" ") + 1
    return text[:place] + rng.choice("\u200b\ufeff\u200d") + text[place:]


def _full_width(_rng: Random, text: str) -> str:
    return text.translate(_WIDE)


def _ligatures(_rng: Random, text: str) -> str:
    return text.replace("ffi", "ﬃ").replace("fi", "ﬁ").replace("fl", "ﬂ")


def _soft_hyphen(_rng: Random, text: str) -> str:
    return re.sub(r"\b([A-Za-z]{4})([A-Za-z]{4})", "\\1\u00ad\\2", text, count=2)


_ODD = (_decomposed, _no_break, _zero_width, _full_width, _ligatures, _soft_hyphen)
