"""Repair of broken text: mojibake, Unicode forms, invisible characters. Nothing else changes.

ftfy repairs encodings, NFC composes letters, and what is removed is named below. Numbers,
operators, units and currency signs must survive: `lost_symbols` says which did not.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache, partial
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
_MAX_PASSES = 5
_OPERATORS = frozenset("+-*/=<>%^|~$")


def _mac(first: int, end: int) -> str:
    """Return the characters that a range of bytes becomes in Mac Roman, for a regex."""
    return re.escape(bytes(range(first, end)).decode("mac-roman"))


# A lead byte of UTF-8 misread, and what can follow it in the same misreading: Latin-1 or
# Windows-1252, then Mac Roman.
_MOJIBAKE = re.compile(
    "[\u00c2-\u00f4\u0393\u0398-\u03ff\u0413-\u0442][\u0080-\u00bf\u0152-\u017e\u0192\u02c6\u02dc\u2013-\u203a"
    "\u20ac\u2122]{1,3}"
    rf"|[{_mac(0xC2, 0xE0)}][{_mac(0x80, 0xC0)}]|[{_mac(0xE0, 0xF0)}][{_mac(0x80, 0xC0)}]{{2}}"
)
# What ftfy leaves because each character could be meant, though together they hardly can: "Ï€" for
# π; of UTF-8 read as Mac Roman "‚Çπ" for ₹, "√ó" for ×, dashes before each letter for Cyrillic.
_STUBBORN = (
    ("mac-roman", re.compile(rf"[‚·][{_mac(0x80, 0xC0)}]{{2}}|√[À-ÖØ-öø-ÿ°]|√∑(?=\s)|¬Ω(?!\w)")),
    ("mac-roman", re.compile(rf"(?:[–—][{_mac(0x80, 0xC0)}]){{3,}}")),
    ("cp1252", re.compile(r"(?<![^\W\d_])[ÎÏ][€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ\xa1-\xbf](?![a-z])")),
)


def repair_text(text: str) -> str:
    """Return a text with its encoding, Unicode form and invisible characters put right.

    Line breaks stay: multiple-choice options stand on them.
    """
    # What one pass removes can uncover what the next repairs.
    for _ in range(_MAX_PASSES):
        repaired = _repair_once(text)
        if repaired == text:
            break
        text = repaired
    return text


def _repair_once(text: str) -> str:
    if text.isascii() and not any(sign in text for sign in "&`\r\t\x0b\x0c") and "  " not in text:
        return _tidy_lines(text)
    import ftfy

    fixed = _undo_stubborn(ftfy.fix_text(text, _ftfy_config()))
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


def _undo_stubborn(text: str) -> str:
    for encoding, pattern in _STUBBORN:
        text = pattern.sub(partial(_reread, encoding), text)
    return text


def _reread(encoding: str, found: re.Match[str]) -> str:
    try:
        return found.group().encode(encoding).decode("utf-8")
    except UnicodeError:
        return found.group()


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
