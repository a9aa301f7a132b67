"""Repair of broken text: what may change is named in `RepairConfig`, every other character stays.

ftfy repairs encodings. White space inside a text, markup, quotation marks and signs mean something
in code, Markdown, TeX and other scripts, and stay. Numbers, operators, units and currency signs
must survive: `lost_symbols` says which did not.
"""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from kd_kedro.curation.repair.repair_config import RepairConfig

REPLACEMENT = "\ufffd"
ALL_REPAIRS = RepairConfig()

# Characters without ink, by what they are.
_REMOVED = {
    "\u00ad": "soft hyphen",
    "\u200b": "zero width space",
    "\u2060": "word joiner",
    "\ufeff": "byte order mark",
    "\x7f": "delete",
    **{chr(code): "control character" for code in range(0x20) if chr(code) not in "\t\n"},
}
_DIRECTIONAL = {
    "\u200e": "left-to-right mark",
    "\u200f": "right-to-left mark",
    **{
        chr(code): "directional control"
        for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
    },
}
_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LINE_BREAK = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
# Scripts written from right to left need directional marks; some others have no space between
# words, and a zero width space there says where one ends.
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_WITHOUT_SPACES = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff]")
_EAST_ASIAN = re.compile("[\u1100-\u11ff\u3005-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af]")
# Joiners shape Indic letters and emoji; between Latin letters they are dirt.
_LATIN_JOINER = re.compile(r"(?<=[\x00-\u024f])[\u200c\u200d]|[\u200c\u200d](?=[\x00-\u024f])")
# Spaces that look like a space become one; before a mark of French and inside its quotes it stays.
_ODD_SPACE = re.compile("(?<!«)[\xa0\u202f\u2007\u2009\u200a\u2002\u2003\u2008](?![?!:;»])")
_WIDE_SPACE = "\u3000"
_LATIN_ACCENTS = re.compile("[A-Za-z\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff][\u0300-\u036f]+")
_LIGATURE = re.compile("[\ufb00-\ufb06]")
_FULL_WIDTH = re.compile("[\uff01-\uff5e]")
# In Indian text books set with a font hack, a backtick stands where the rupee sign stood. TeX and
# old corpora open a quotation with one that an apostrophe closes.
_BACKTICK_RUPEE = re.compile(r"`(?=\s?\d)(?!\d[^\s`']*(?:\s[^\s`']+){0,3}'(?!\w))")
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-f]+|[a-z]+\d*);", re.IGNORECASE)
# The entities that escaping writes, beside those with a number.
_ESCAPED = re.compile(r"&(?:#\d+|#x[0-9a-f]+|lt|gt|amp|quot|apos|nbsp);", re.IGNORECASE)
_MARKUP = re.compile(
    r"</?[a-z!][^<>]*>|`|\b(?:html|xml|xhtml|markup|entit(?:y|ies)|escap\w*)\b", re.I
)
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


def repair_text(text: str, config: RepairConfig = ALL_REPAIRS) -> str:
    """Return a text with what is broken in it put right."""
    return repair(text, config)[0]


def repair(text: str, config: RepairConfig = ALL_REPAIRS) -> tuple[str, list[str]]:
    """Return a text with what is broken in it put right, and which repairs changed it.

    Args:
        text: A cell, in any language or markup.
        config: Which repairs are made.

    Returns:
        The text, and names of fields of `RepairConfig` in the order in which they changed it.
    """
    steps = [(name, step) for name, step in _STEPS.items() if getattr(config, name)]
    made: dict[str, None] = {}
    # What one pass removes can uncover what the next repairs.
    for _ in range(_MAX_PASSES):
        before = text
        for name, step in steps:
            changed = step(text)
            if changed != text:
                text, made[name] = changed, None
        if text == before:
            break
    return text, list(made)


def _reread_encoding(text: str) -> str:
    if text.isascii() and "`" not in text:
        return text
    import ftfy

    return _restore_rupee(_undo_stubborn(ftfy.fix_text(text, _ftfy_config())))


def _decode_entities(text: str) -> str:
    if "&" not in text or _MARKUP.search(text):
        return text
    decoded = _ESCAPED.sub(lambda found: html.unescape(found.group()), text)
    return text if _MARKUP.search(decoded) else decoded


def _drop_controls(text: str) -> str:
    if text.isprintable():
        return text
    text = _LATIN_JOINER.sub("", _LINE_BREAK.sub("\n", _ESCAPE_SEQUENCE.sub("", text)))
    removed: dict[str, str | int | None] = dict.fromkeys(_REMOVED, "")
    if _WITHOUT_SPACES.search(text):
        del removed["\u200b"]
    if not _RIGHT_TO_LEFT.search(text):
        removed.update(dict.fromkeys(_DIRECTIONAL, ""))
    return text.translate(str.maketrans(removed))


def _plain_forms(text: str) -> str:
    if text.isascii():
        return text
    text = _LATIN_ACCENTS.sub(lambda found: unicodedata.normalize("NFC", found.group()), text)
    text = _ODD_SPACE.sub(" ", _LIGATURE.sub(_compatible, text))
    if not _EAST_ASIAN.search(text):
        text = _FULL_WIDTH.sub(_compatible, text).replace(_WIDE_SPACE, " ")
    return text


def _compatible(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found.group())


def _strip_edges(text: str) -> str:
    text = re.sub(r"\A(?:[^\S\n]*\n)+", "", text).rstrip()
    first, _, rest = text.partition("\n")
    # The first line of a block of code is indented as the others are.
    indented = any(line[:1] in (" ", "\t") for line in rest.split("\n"))
    return text if first[:1] in (" ", "\t") and indented else text.lstrip()


_STEPS: dict[str, Callable[[str], str]] = {
    "mojibake": _reread_encoding,
    "html_entities": _decode_entities,
    "control_characters": _drop_controls,
    "unicode_forms": _plain_forms,
    "edge_spaces": _strip_edges,
}


def lost_symbols(before: str, after: str) -> list[str]:
    """Return the numbers, operators, units and currency signs of a text that a repair lost.

    What stands inside mojibake (the ¹ of "â‚¹") or an HTML entity is part of a broken character,
    not a symbol.
    """
    whole = _MOJIBAKE.sub(" ", _ENTITY.sub(" ", _ESCAPE_SEQUENCE.sub("", before)))
    missing = _symbols(whole) - _symbols(after)
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
    if "`" in text and text.count("`") == len(_BACKTICK_RUPEE.findall(text)):
        return _BACKTICK_RUPEE.sub("₹", text)
    return text


@lru_cache(maxsize=1)
def _ftfy_config() -> Any:
    import ftfy

    # The encoding alone: an undamaged text must come back as it was.
    return ftfy.TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )
