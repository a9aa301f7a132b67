"""Repair of broken text: mojibake, Unicode forms, invisible characters. Nothing else changes.

ftfy repairs encodings, NFC composes letters, and what is removed is named below. Numbers,
operators, units and currency signs must survive: `lost_symbols` says which did not.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Any

REPLACEMENT = "\ufffd"

# Named removals: characters without ink, by what they are.
_REMOVED = {
    "\u00ad": "soft hyphen",
    "\u200b": "zero width space",
    "\u2060": "word joiner",
    "\ufeff": "byte order mark",
    "\u200e": "left-to-right mark",
    "\u200f": "right-to-left mark",
    **{
        chr(code): "directional control"
        for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
    },
}
# Spaces that look like a space become one.
_SPACES = dict.fromkeys("\xa0\u202f\u2007\u2009\u200a\u2002\u2003\u2008\u3000", " ")
_TRANSLATION = str.maketrans({**dict.fromkeys(_REMOVED, ""), **_SPACES})
# Joiners shape Indic letters and emoji; between Latin letters they are dirt.
_LATIN_JOINER = re.compile(r"(?<=[\x00-\u024f])[\u200c\u200d]|[\u200c\u200d](?=[\x00-\u024f])")
# In Indian text books set with a font hack, a backtick stands where the rupee sign stood.
_BACKTICK_RUPEE = re.compile(r"`(?=\s?\d)")
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-f]+|[a-z]+\d*);", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OPERATORS = frozenset("+-*/=<>%^|~$")
# A lead byte read as Latin-1 or Windows-1252 and what can follow it in the same misreading.
_MOJIBAKE = re.compile(
    "[\u00c2-\u00f4\u0393\u0398-\u03ff\u0413-\u0442][\u0080-\u00bf\u0152-\u017e\u0192\u02c6\u02dc\u2013-\u203a"
    "\u20ac\u2122]{1,3}"
)


def repair_text(text: str) -> str:
    """Return a text with its encoding, Unicode form and invisible characters put right.

    Line breaks stay: multiple-choice options stand on them.
    """
    if text.isascii() and not any(sign in text for sign in "&`\r\t\x0b\x0c") and "  " not in text:
        return _tidy_lines(text)
    import ftfy

    fixed = ftfy.fix_text(text, _ftfy_config())
    fixed = _LATIN_JOINER.sub("", fixed.translate(_TRANSLATION))
    return _tidy_lines(unicodedata.normalize("NFC", _restore_rupee(fixed)))


def lost_symbols(before: str, after: str) -> list[str]:
    """Return the numbers, operators, units and currency signs of a text that a repair lost.

    What stands inside mojibake (the ¹ of "â‚¹") or an HTML entity is part of a broken character,
    not a symbol.
    """
    missing = _symbols(_MOJIBAKE.sub(" ", _ENTITY.sub(" ", before))) - _symbols(after)
    return sorted(missing.elements())


def repair_defect(before: str, after: str) -> str:
    """Return why a repaired text must not be used, '' where it may.

    Args:
        before: The text as it came.
        after: What `repair_text` made of it.
    """
    if is_unrepairable(after):
        return f"U+FFFD stands for a lost character in '{_around(after, REPLACEMENT)}'"
    if lost := lost_symbols(before, after):
        return f"repair would lose {' '.join(lost)}"
    if before.strip() and not after:
        return "nothing is left after repair"
    return ""


def is_unrepairable(text: str) -> bool:
    """Return whether a character is lost for good: U+FFFD stands where it was."""
    return REPLACEMENT in text


def _around(text: str, sign: str) -> str:
    place = text.index(sign)
    return re.sub(r"\s+", " ", text[max(0, place - 15) : place + 16])


def _symbols(text: str) -> Counter[str]:
    # Full-width digits and signs are the same numbers; compose before counting.
    plain = "".join(
        unicodedata.normalize("NFKC", char) if "\uff01" <= char <= "\uffee" else char
        for char in unicodedata.normalize("NFC", text)
    )
    found = Counter(_NUMBER.findall(plain))
    found.update(
        char
        for char in plain
        if char in _OPERATORS
        or (not char.isascii() and unicodedata.category(char) in ("Sm", "Sc", "No"))
    )
    return found


def _restore_rupee(text: str) -> str:
    # Paired backticks are code, not currency.
    if text.count("`") == len(_BACKTICK_RUPEE.findall(text)):
        return _BACKTICK_RUPEE.sub("₹", text)
    return text


def _tidy_lines(text: str) -> str:
    lines = (re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


@lru_cache(maxsize=1)
def _ftfy_config() -> Any:
    import ftfy

    # Quotes stay curled: an undamaged text must come back as it was.
    return ftfy.TextFixerConfig(uncurl_quotes=False, normalization="NFC", explain=False)
