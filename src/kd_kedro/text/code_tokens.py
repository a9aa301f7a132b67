"""What in a text looks like code or a formula: in backticks, calls, options, operators, paths.

One character makes another thing of it (`-d` and `-D`, `<` and `<=`, `[1, 2]` and `(1, 2)`),
which an embedder that reads words in small letters hardly sees.
"""

import re
from functools import lru_cache

from kd_kedro.text.normalise import normalise

_QUOTED = re.compile(r"```[^\n`]*\n.*?```|`[^`\n]+`", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
# What prose puts before a word and behind it.
_OPENING, _CLOSING = "\"'“‘«(,", "\"'”’»),;:.?!…"
_SYMBOLS = re.compile(r"[^\w\s,;.\"'“”‘’«»()\[\]–—…•₹€£¥]+")
# Prose has these too; the signature reads those of calculation.
_PROSE_SYMBOLS = ("-", "+", "*", "**", "/", "=", "%", "&", "#", "@", "?", "!", ":", "?!", "|")
_WHOLE = re.compile(
    r"-{1,2}[A-Za-z][\w-]*(?:=.*)?|\+[a-z]"  # an option
    r"|[!~$@#:.\\][A-Za-z_{].*"  # !x, $push, @Test, #include, :after, .gitignore, \d
    r"|(?:[~.]{1,2}/|/[\w.-]+/|[A-Za-z]:\\|https?:/).*"  # a path
    r"|\w+!"  # sort!
    r"|[*&][a-z]\w{0,2}"  # *p
)
_INSIDE = re.compile(  # f(), snake_case, camelCase, operators
    r"[A-Za-z_]\d*\(\)|\w_\w|\b__|\b[a-z]{2,}[A-Z]|\b[A-Z][a-z]+[A-Z][a-z]"
    r"|::|->|=>|[<>=!]=|&&|\|\||\+\+|\w\[\w*\]"
)
# Signs that make another thing of what is around them, and that prose does not put there.
_ITEM = r"[-−]?(?:\d+(?:\.\d+)?|[A-Za-z∞])"
_ITEMS = rf"\s*{_ITEM}(?:\s*,\s*{_ITEM})+\s*"
_SIGN = re.compile(
    r"(?<=does )[,.;:?!(){}\[\]]+(?= [a-z])"  # What does : do?
    r"|(?<=\bcd )\.{1,2}(?!\.)"
    rf"|\[{_ITEMS}[\])]|\({_ITEMS}\]|\{{{_ITEMS}\}}"  # [1, 2] is not (1, 2)
    r"|(?<![\w'’])[a-z]['′]+(?![\w'’])"  # f'
    r"|[∪∩∃∀¬∧∨∈∉⊂⊃⊆⊇]"
    r"|(?<=\b(?:[Ii]s|of|by|to) )[-−]\d|(?<=[=(^<>])[-−]\d|(?<=[=<>] )[-−]\d"
)
# Units that are others in other case: mW and MW, Mb and MB, pH and PH.
_UNIT = re.compile(
    r"(?<![^\W\d_])(?:[mp](?:[WVAJNFHSTBCKMΩ]|Hz|Pa|Wh|Ah|eV|Bq|Gy|Sv)|[KMGTP]i?b(?:ps|its?)?)"
    r"(?![^\W\d_])"
)
_UNIT_WHEN_SMALL = re.compile(r"[mp][MS]")  # mm, ms, pm, ps
# In small letters a unit is read as its commoner sister: mhz as MHz, mv as mV, gb as GB, mbps as
# Mbps. These are the others, which a key must name.
_UNCOMMON_UNIT = re.compile(
    r"(?<![^\W\d_])(?:[mp](?:[WJNBMS]|Hz|Pa|Wh|eV|Bq)|p[VATCK]|PH"
    r"|(?:(?<=\d)|(?<=\d ))M(?:[VAFHTCKΩ]|Ah|Gy|Sv)|[KMGTP]i?(?:b(?!/s)|B(?:ps|/s)))"
    r"(?![^\W\d_])"
)
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
# Abbreviations ("e.g", "Ph.D") and a missing space behind a full stop ("sold.Find").
_NOT_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]|\w*[a-z]\.[A-Z][a-z]*")
# Words and numbers with no sign but commas between and one mark behind them: none of it is code.
_PLAIN_WORD = r"(?:[A-Z]?[a-z]++|[A-Z]++|\d++)"
_PROSE = re.compile(rf"{_PLAIN_WORD}(?:,? {_PLAIN_WORD})*+[.?]?")
_BLANK, _RULE = "___", "--"  # what is to be filled in; a ruled line
_LETTERS_THAT_COUNT = 2  # in a name so short capitals make another one


def code_differs(one: str, other: str) -> bool:
    """Return whether code in one text stands nowhere in the other, neither as code nor as words."""
    return bool(lost_code(one, other) or lost_code(other, one))


def lost_code(source: str, text: str) -> list[str]:
    """Return the code of a text that another has not, neither as code nor as words.

    Units may stand there in small letters, unless those are another unit.
    """
    code = code_tokens(source)
    lost = code - _all_tokens(text) if code else code
    return sorted(token for token in lost if not _is_unit_in_small(token, text))


def code_key(text: str) -> str:
    """Return the code of a text of which `normalise` keeps less than there is, '' where none.

    Of units it names those that small letters would not be read as.
    """
    code = {token for token in code_tokens(text) if not _UNIT.fullmatch(token)}
    kept = {token for token in code if normalise(token) != token}
    return " ".join(sorted(kept.union(_UNCOMMON_UNIT.findall(text))))


@lru_cache(maxsize=200_000)
def code_tokens(text: str) -> frozenset[str]:
    """Return what looks like code in a text, a call without its brackets.

    Capitals count in options, escapes, units and names of up to two letters, and at the head of
    what is quoted as code; others are case-folded.
    """
    parts = [part for code in _QUOTED.findall(text) for part in code.strip("`").split()]
    units = _UNIT.findall(text)
    if not units and _PROSE.fullmatch(text):
        return frozenset()
    prose = _QUOTED.sub(" ", text)
    words = [word for word in _words(_TAG.sub(" ", prose)) if _is_code(word)]
    tokens = [_key(token) for token in (*_TAG.findall(prose), *words)]
    quoted = [_headed(part) for part in parts]
    return frozenset(
        [*units, *quoted, *tokens, *("".join(sign.split()) for sign in _SIGN.findall(prose))]
    )


@lru_cache(maxsize=200_000)
def _all_tokens(text: str) -> frozenset[str]:
    words = _words(text.replace("`", " "))
    return code_tokens(text) | {*map(_key, words)} | {*map(_headed, words)}


def _is_unit_in_small(token: str, text: str) -> bool:
    if not _UNIT.fullmatch(token) or _UNIT_WHEN_SMALL.fullmatch(token):
        return False
    return bool(re.search(rf"(?<![^\W\d_]){token.lower()}(?![^\W\d_])", text))


def _words(text: str) -> list[str]:
    """Return the words of a text without the punctuation of prose around them."""
    found = text.split()
    words = []
    for place, word in enumerate(found):
        following = found[place + 1] if place + 1 < len(found) else ""
        # Amid a sentence "!" ends a name ("sort!" in Ruby), not the sentence.
        closing = _CLOSING.replace("!", "") if following[:1].islower() else _CLOSING
        bare = word.lstrip(_OPENING)
        ended = bare.rstrip(closing)
        words.append(f"{ended})" if ended.endswith("(") else ended or word)
    return words


def _is_code(word: str) -> bool:
    if _SYMBOLS.fullmatch(word):
        return word not in _PROSE_SYMBOLS and _RULE not in word
    if _BLANK in word:
        return False
    dotted = _DOTTED.fullmatch(word) and not _NOT_DOTTED.fullmatch(word)
    return bool(dotted or _WHOLE.fullmatch(word) or _INSIDE.search(word))


def _headed(token: str) -> str:
    """Return a name with the capital at its head, where not all of it is in capitals.

    `Map` is not `map`; a capital inside (`useState`) tells no two names apart.
    """
    key = _key(token)
    return key if token.isupper() or not token[0].isupper() else token[0] + key[1:]


def _key(token: str) -> str:
    name = token.removesuffix("()")
    return name if len(name) <= _LETTERS_THAT_COUNT or name[0] in "-\\" else name.casefold()
