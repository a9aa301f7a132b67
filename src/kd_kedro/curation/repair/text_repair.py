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
from html.entities import name2codepoint
from typing import Any

from kd_kedro.curation.repair.repair_config import RepairConfig
from kd_kedro.text.language import foreign_language
from kd_kedro.text.words import word_set

REPLACEMENT = "\ufffd"
ALL_REPAIRS = RepairConfig()
Step = tuple[str, str, str]  # name of a repair, the text before it, the text after it

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
_NO_WIDTH = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LINE_BREAK = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
# Scripts written from right to left need directional marks; some others have no space between
# words, and a zero width space there says where one ends.
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u1aaf\u1b00-\u1bff\ua980-\ua9ff\uaa00-\uaadf]"
)
_EAST_ASIAN = re.compile(
    "[\u1100-\u11ff\u2e80-\u2fdf\u3001-\u312f\u3130-\u318f\u31a0-\u31ff\u3400-\u9fff\ua000-\ua4cf"
    "\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
# Joiners shape Arabic and Indic letters and emoji; between Latin letters they are dirt.
_LATIN_JOINER = re.compile(r"(?:(?<=[\x00-\u024f])|\A)[\u200c\u200d]+(?:(?=[\x00-\u024f])|\Z)")
# Spaces that look like a space become one; before a mark of French and inside its quotes it stays.
_ODD_SPACE = re.compile("(?<!«)[\xa0\u202f\u2007\u2009\u200a\u2002\u2003\u2008](?![?!:;»])")
_WIDE_SPACE = "\u3000"
_LATIN_ACCENTS = re.compile("[A-Za-z\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff][\u0300-\u036f]+")
_LATIN = re.compile("[a-z\u00c0-\u024f]", re.IGNORECASE)
_LIGATURE = re.compile("[\ufb00-\ufb04\ufb06]")  # not that of the long s
_FULL_WIDTH = re.compile("[\uff01-\uff5e]")
# In Indian text books set with a font hack, a backtick stands where the rupee sign stood. TeX and
# old corpora open a quotation with one that an apostrophe closes; `90s is a decade, `08 a year.
_BACKTICK_RUPEE = re.compile(
    r"`(?=\s?\d)(?!\s?0\d|\s?\d+s\b)(?!\d[^\s`']*(?:\s[^\s`']+){0,3}'(?!\w))"
)
_ENTITY = re.compile(r"&(#\d+|#x[0-9a-f]+|[a-z]+\d*);", re.IGNORECASE)
# The names of HTML 4, without those that are a word or a variable of code: "x&int;".
_NAMES = frozenset({"apos", *name2codepoint}) - word_set(
    "and cap cup empty exist image int lang ni not nu or part prod prop real sub sum sup xi"
)
# Tags that only set a text: pairs, and those that stand alone.
_PAIR = re.compile(
    r"<(b|i|u|s|em|strong|small|sub|sup|span|div|center|ul|ol|h[1-6])\s*>([^<>]*)</\1\s*>",
    re.IGNORECASE,
)
_SINGLE = re.compile(r"<(?:[bh]r\s*/?|/?(?:p|li)\s*)>", re.IGNORECASE)
_NAMED_TAG = re.compile(
    r"\b(?:tags?|elements?)\b"
    r"|\b(?:use|write|type|insert|add|put|with|by|the|an?|and|or|is|does|to)\s+"
    r"<(?:[bh]r|p|li)\b[^<>]*>(?=\W)"
    r"|(?:^|\s)<(?:[bh]r|p|li)\b[^<>]*>\s+"
    r"(?:is|means?|makes?|breaks?|starts?|ends?|does|inserts?|adds?)\b",
    re.IGNORECASE,
)
# A text about markup shows the names of its signs: it has a tag, code, or a word of the trade.
_MARKUP = re.compile(
    r"</?[a-z!][^<>]*>|`"
    r"|(?<![a-z])(?:html|xml|xhtml|svg|jsx|markup|entit(?:y|ies)|escap\w*|ampersands?|href"
    r"|web ?pages?|browsers?|(?:smart|curly) quotes?|e[mn][- ]dash(?:es)?"
    r"|(?:(?:less|greater)[- ]than|euro|pound|yen|cent|degree|copyright) (?:sign|symbol))(?![a-z])",
    re.IGNORECASE,
)
# Nobody escaped this text as a whole: it has lines of code, a sign that would be escaped, an
# escape that is escaped itself, or one without anything that it could belong to.
_MEANT = re.compile(
    r"&(?!#?\w+;)|<"
    r"|&amp;(?:#\w+|[a-z]{2,8}\d*);"
    r"|^(?: {2,}|\t)\S|[{}]$|\);$"
    r"|(?:^|(?<=[\s(\"'“‘«„]))&(?:#\d+|lt|gt|amp|quot|apos);(?=[.,;:!?)\"'”’»“]|\s*$)"
    r"|(?:^|(?<=\s))&(?:quot|apos|#3[49]);(?=\s|$)"
    r"|&(?:#\w+|[a-z]{2,8}\d*);(?= (?:means?|stands? for|represents?)(?!\w))"
    r"|\b(?:write|type|use|with|as|is) &(?:#\w+|[a-z]{2,8}\d*);(?=[.,;:!?)]|\s*$)",
    re.IGNORECASE | re.MULTILINE,
)
# A text about how characters are written shows the broken and the odd ones on purpose.
_ABOUT_CHARACTERS = re.compile(
    r"(?<![a-z])(?:unicode|utf-?(?:8|16|32)|mojibake|(?:character|text|file)[- ](?:en|de)coding"
    r"|char(?:acter )?sets?|code ?points?|latin-?1|iso-?8859|cp-?\d{3,4}|windows-125\d|nfk?[cd]"
    r"|u\+[0-9a-f]{4,6}|ascii|gbk|big5|shift[-_]jis|ligatures?|replacement character"
    r"|non-?breaking|zero[- ]width|full[- ]?width|nbsp)(?![a-z])|\.(?:en|de)code\(",
    re.IGNORECASE,
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
_LONE_A_TILDE = re.compile(r"(?<!\S)Ã(?= )")
# What ftfy leaves because each character could be meant, though together they hardly can: "Ï€" for
# π; of UTF-8 read as Mac Roman "‚Çπ" for ₹, "√ó" for ×, dashes before each letter for Cyrillic.
_STUBBORN = (
    ("mac-roman", re.compile(rf"[‚·][{_mac(0x80, 0xC0)}]{{2}}|√[À-ÖØ-öø-ÿ°]|√∑(?=\s)|¬Ω(?!\w)")),
    ("mac-roman", re.compile(rf"(?:[–—][{_mac(0x80, 0xC0)}]){{3,}}")),
    ("cp1252", re.compile(r"(?<![^\W\d_])[ÎÏ][€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ\xa1-\xbf](?![a-z])")),
)


def repair(
    text: str, config: RepairConfig = ALL_REPAIRS, beside: str = ""
) -> tuple[str, list[Step]]:
    """Return a text with what is broken in it put right, and the repairs that changed it.

    Args:
        text: A cell, in any language or markup.
        config: Which repairs are made.
        beside: The other text of its row: an answer may not say which language it is in, or that
            it is about markup.

    Returns:
        The text, and of each repair its name (a field of `RepairConfig`), the text before it and
        the text after it.
    """
    chosen = [(name, step) for name, step in _STEPS.items() if getattr(config, name)]
    made: list[Step] = []
    # What one pass removes can uncover what the next repairs.
    for _ in range(_MAX_PASSES):
        start = text
        for name, step in chosen:
            after = step(text, beside)
            if after != text:
                made.append((name, text, after))
                text = after
        if text == start:
            break
    return text, made


def _reread_encoding(text: str, beside: str) -> str:
    if (text.isascii() and "`" not in text) or _says(_ABOUT_CHARACTERS, text, beside):
        return text
    import ftfy

    # "Ã " is half of "à" only beside other mojibake: alone it is a letter of Portuguese.
    others = _LONE_A_TILDE.sub("", text)
    if ftfy.fix_text(others, _ftfy_config()) != others:
        text = ftfy.fix_text(text, _ftfy_config())
    return _restore_rupee(_undo_stubborn(text))


def _decode_entities(text: str, beside: str) -> str:
    if "&" not in text:
        return text
    plain = _unformatted(text)
    if _MEANT.search(plain) or _says(_MARKUP, plain, _unformatted(beside)):
        return text
    # All entities of a text or none: one without a known name is a sign that nobody escaped.
    if any(name[0] != "#" and name not in _NAMES for name in _ENTITY.findall(text)):
        return text
    decoded = _ENTITY.sub(lambda found: html.unescape(found.group()), text)
    if plain == text:
        return text if _MARKUP.search(decoded) else decoded
    # Beside tags, a bare "<" would be one more of them.
    return text if any(decoded.count(sign) > text.count(sign) for sign in "<>") else decoded


def _unformatted(text: str) -> str:
    """Return a text without the tags that only set it; one that names a tag stays whole."""
    if "<" not in text or _NAMED_TAG.search(text):
        return text
    plain, pairs = _SINGLE.sub(" ", text), 1
    while pairs:
        plain, pairs = _PAIR.subn(r"\2", plain)
    return plain


def _drop_controls(text: str, beside: str) -> str:
    if text.isprintable():
        return text
    text = _LINE_BREAK.sub("\n", _ESCAPE_SEQUENCE.sub("", text))
    if _says(_ABOUT_CHARACTERS, text, beside):
        return text
    text = _LATIN_JOINER.sub("", text)
    removed: dict[str, str | int | None] = dict.fromkeys(_REMOVED, "")
    if _says(_WITHOUT_SPACES, text, beside):
        del removed["\u200b"]
    if not _says(_RIGHT_TO_LEFT, text, beside):
        removed.update(dict.fromkeys(_DIRECTIONAL, ""))
    return text.translate(str.maketrans(removed))


def _plain_forms(text: str, beside: str) -> str:
    if text.isascii() or _says(_ABOUT_CHARACTERS, text, beside):
        return text
    text = _LATIN_ACCENTS.sub(lambda found: unicodedata.normalize("NFC", found.group()), text)
    text = _LIGATURE.sub(_compatible, text)
    # A number alone says no language. Where typography is another than that of English, a space
    # that does not break is meant.
    if _LATIN.search(text) and not foreign_language(f"{text}\n{beside}"):
        text = _ODD_SPACE.sub(" ", text)
    if _LATIN.search(text) and not _says(_EAST_ASIAN, text, beside):
        text = _FULL_WIDTH.sub(_compatible, text).replace(_WIDE_SPACE, " ")
    return text


def _says(sign: re.Pattern[str], text: str, beside: str) -> bool:
    return bool(sign.search(text) or sign.search(beside))


def _compatible(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found.group())


def _strip_edges(text: str, _: str) -> str:
    text = re.sub(r"\A(?:[^\S\n]*\n)+", "", text).rstrip()
    first, _, rest = text.partition("\n")
    if not rest or first[:1] not in (" ", "\t"):
        return text.lstrip()
    # The first line of a block of code or of a diff is indented as the others are; Markdown makes
    # one of four spaces or a tab.
    block = any(line[:1] in (" ", "\t", "+", "-") for line in rest.split("\n"))
    return text if block or first.startswith(("    ", "\t")) else text.lstrip()


_STEPS: dict[str, Callable[[str, str], str]] = {
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
    inked = _NO_WIDTH.sub("", _ESCAPE_SEQUENCE.sub("", before))
    whole = _MOJIBAKE.sub(" ", _ENTITY.sub(" ", inked))
    missing = _symbols(whole) - _symbols(after)
    return sorted(missing.elements())


def repair_defect(before: str, after: str, beside: str = "") -> str:
    """Return why a repaired text must not be used, '' where it may.

    Args:
        before: The text as it came.
        after: What `repair` made of it.
        beside: The other text of its row: one about characters may show U+FFFD.
    """
    if is_unrepairable(after) and not _says(_ABOUT_CHARACTERS, after, beside):
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
    # Paired backticks are code, not currency, and beside a backslash they are of TeX or a shell.
    if "`" in text and "\\" not in text and text.count("`") == len(_BACKTICK_RUPEE.findall(text)):
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
