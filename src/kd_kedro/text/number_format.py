"""What a spreadsheet cell shows: a number or a date as its format code writes it.

Format codes are those of ECMA-376, part 1, 18.8.31, shown as in English (United States). Formats
that depend on the reader's settings (the short date) come out as ISO dates.
"""

import datetime
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, NamedTuple

Moment = datetime.datetime | datetime.date | datetime.time | datetime.timedelta
# Built-in formats whose order of day and month is that of the reader's settings.
_OF_THE_READER = ("mm-dd-yy", "m/d/yy h:mm", "General", "@")
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[\$(?P<currency>[^\]-]*)[^\]]*\]|'
    r"\[[^\]]*\]|(?P<exponent>E[+-])|(?P<sign>[0#?.,/%])|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_DATE_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[\$(?P<currency>[^\]-]*)[^\]]*\]|'
    r"\[(?P<elapsed>h+|m+|s+)\]|\[[^\]]*\]|(?P<half>AM/PM|A/P)|(?P<part>y+|m+|d+|h+|s+)|"
    r"(?P<fraction>\.0+)|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_SECTIONS = re.compile(r'((?:"[^"]*"|\\.|\[[^\]]*\]|[^;"\\\[])*)(?:;|$)', re.DOTALL)
_CONDITION = re.compile(r"\[[<>=]")


class _Token(NamedTuple):
    kind: str  # digit, dot, comma, slash, percent, exponent or text
    text: str


def shown(value: float | int | Moment, code: str) -> str:
    """Return a number or a moment as a spreadsheet shows it.

    Args:
        value: The stored value; a number that means a moment, as one.
        code: Its format code, as `0.00%`; a code that cannot be read counts as General.
    """
    try:
        return _shown(value, code)
    except (ArithmeticError, AttributeError, LookupError, ValueError):
        return _iso(value) if isinstance(value, Moment) else general(value)


def _shown(value: float | int | Moment, code: str) -> str:
    if isinstance(value, Moment):
        return _iso(value) if code in _OF_THE_READER else _moment(value, _SECTIONS.findall(code)[0])
    if code in ("General", "@", "") or _CONDITION.search(code):
        return general(value)
    sections = _SECTIONS.findall(code)[:-1]  # the last match is the empty one at the end
    number = Decimal(general(value))
    section, sign = _section_of(number, sections)
    tokens = _tokens(section)
    kinds = [token.kind for token in tokens]
    if "digit" not in kinds and '"' in section:  # a section of text alone, as for zero
        return "".join(token.text for token in tokens if token.kind == "text").strip()
    if "general" in section.lower() or "digit" not in kinds:
        return general(value)
    if "exponent" in kinds:
        written = _scientific(number.copy_abs(), tokens)
    elif "slash" in kinds:
        written = _fraction(number.copy_abs(), tokens)
    else:
        written = _decimal(number.copy_abs(), tokens)
    text = " ".join(written.split())
    return f"{sign}{text}" if any(char in "123456789" for char in text) else text


def general(value: float | int) -> str:
    """Return a number with the 15 digits that a spreadsheet knows of it, without an exponent."""
    if isinstance(value, int):
        return str(value)
    return format(Decimal(f"{value:.15g}").normalize(), "f")


def _section_of(number: Decimal, sections: Sequence[str]) -> tuple[str, str]:
    """Return the section for a number, and the minus sign where the section writes none."""
    if number < 0 and len(sections) > 1:
        return sections[1], ""
    if number == 0 and len(sections) > 2:
        return sections[2], ""
    return sections[0], "-" if number < 0 else ""


def _tokens(section: str) -> list[_Token]:
    kinds = {".": "dot", ",": "comma", "/": "slash", "%": "percent"}
    found = []
    for match in _TOKEN.finditer(section):
        name, text = match.lastgroup, match.group(match.lastgroup) if match.lastgroup else ""
        if name == "sign":
            found.append(_Token(kinds.get(text, "digit"), text))
        elif name == "exponent":
            found.append(_Token("exponent", text))
        elif name in ("quoted", "escaped", "currency", "literal"):
            found.append(_Token("text", text))
        elif match.group()[:1] == "_":
            found.append(_Token("text", " "))  # as wide as a sign
    return found


def _decimal(number: Decimal, tokens: list[_Token]) -> str:
    kinds = [token.kind for token in tokens]
    last = len(kinds) - 1 - kinds[::-1].index("digit")
    dot = kinds.index("dot") if "dot" in kinds else last + 1
    whole_end = max((n for n in range(min(dot, last + 1)) if kinds[n] == "digit"), default=-1)
    thousands = sum(_commas_behind(kinds, place) for place in {whole_end, last} - {-1})
    grouped = "comma" in kinds[: max(whole_end, 0)]
    number = number * 100 ** kinds.count("percent") / 1000**thousands
    places = [token.text for token in tokens[dot:] if token.kind == "digit"]
    digits = format(number.quantize(Decimal(1).scaleb(-len(places)), ROUND_HALF_UP), "f")
    whole, _, part = digits.partition(".")
    while part and places[len(part) - 1] != "0" and part.endswith("0"):
        part = part[:-1]
    wanted = sum(token.text == "0" for token in tokens[:dot] if token.kind == "digit")
    whole = whole.lstrip("0").rjust(wanted, "0")
    return "".join(_laid_out(tokens, dot, whole_end, whole, part, grouped))


def _commas_behind(kinds: list[str], place: int) -> int:
    """Return how many commas stand right behind a digit: each divides by a thousand."""
    behind = kinds[place + 1 :]
    return next((n for n, kind in enumerate(behind) if kind != "comma"), len(behind))


def _laid_out(
    tokens: list[_Token], dot: int, whole_end: int, whole: str, part: str, grouped: bool
) -> list[str]:
    """Return the digits in their places, with the texts before, between and behind them."""
    first = next((n for n in range(dot) if tokens[n].kind == "digit"), -1)
    out: list[str] = []
    places = [n for n in range(dot) if tokens[n].kind == "digit"]
    texts_inside = any(tokens[n].kind == "text" for n in range(max(first, 0), whole_end))
    left = whole
    shares: dict[int, str] = {}
    if texts_inside:  # as in 000-0000: each place takes one digit, from the right
        for n in reversed(places):
            left, shares[n] = (left[:-1], left[-1:]) if n != first else ("", left)
    elif first >= 0:
        shares[first] = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", whole) if grouped else whole
    for n, token in enumerate(tokens):
        if token.kind == "text":
            out.append(token.text)
        elif token.kind == "percent":
            out.append("%")
        elif token.kind == "dot":
            out.append(f".{part}")
        elif token.kind == "digit" and n < dot:
            out.append(shares.get(n, ""))
    return out


def _scientific(number: Decimal, tokens: list[_Token]) -> str:
    place = next(n for n, token in enumerate(tokens) if token.kind == "exponent")
    decimals = 0
    if any(token.kind == "dot" for token in tokens[:place]):
        dot = next(n for n, token in enumerate(tokens) if token.kind == "dot")
        decimals = sum(token.kind == "digit" for token in tokens[dot:place])
    width = sum(token.kind == "digit" for token in tokens[place:])
    mantissa, _, power = f"{number:.{decimals}E}".partition("E")
    sign = "-" if power.startswith("-") else "+" if tokens[place].text[1] == "+" else ""
    before = "".join(token.text for token in tokens[:place] if token.kind == "text")
    after = "".join(token.text for token in tokens[place:] if token.kind == "text")
    return f"{before}{mantissa}E{sign}{power.lstrip('+-').lstrip('0').rjust(width, '0')}{after}"


def _fraction(number: Decimal, tokens: list[_Token]) -> str:
    place = next(n for n, token in enumerate(tokens) if token.kind == "slash")
    behind = "".join(token.text for token in tokens[place + 1 :])
    before = [n for n in range(place) if tokens[n].kind == "digit"]
    mixed = any(tokens[n].kind == "text" for n in range(before[0], place)) if before else False
    fixed = re.match(r"[1-9]\d*", behind)
    limit = 10 ** max(1, len(re.match(r"[#?0]*", behind).group())) - 1  # type: ignore[union-attr]
    exact = Fraction(number)
    whole = int(exact) if mixed else 0
    if fixed:
        below = int(fixed.group())
        above = round((exact - whole) * below)
    else:
        rest = (exact - whole).limit_denominator(limit)
        above, below = rest.numerator, rest.denominator
    if mixed and above == below:
        whole, above = whole + 1, 0
    if mixed and not above:
        return str(whole)
    return f"{whole} {above}/{below}" if mixed and whole else f"{above}/{below}"


def _iso(value: Moment) -> str:
    if isinstance(value, datetime.datetime):
        day = value.time() == datetime.time()
        return value.date().isoformat() if day else value.isoformat(sep=" ")
    return str(value) if isinstance(value, datetime.timedelta) else value.isoformat()


def _moment(value: Moment, section: str) -> str:
    tokens = list(_DATE_TOKEN.finditer(section))
    parts = [match for match in tokens if match.lastgroup in ("part", "elapsed", "fraction")]
    if not parts:
        return _iso(value)
    half = any(match.lastgroup == "half" for match in tokens)
    out = []
    for match in tokens:
        name = match.lastgroup
        if name in ("quoted", "escaped", "currency", "literal"):
            out.append(match.group(name))
        elif name == "half":
            out.append(_half_of_day(value, match.group()))
        elif name in ("part", "elapsed", "fraction"):
            at = parts.index(match)
            minutes = match.group()[:1].lower() == "m" and _is_minute(parts, at)
            out.append(_written(value, match, minutes, half))
    return " ".join("".join(out).split())


def _is_minute(parts: list[re.Match[str]], at: int) -> bool:
    """Return whether an m is a minute: it stands behind hours, or before seconds."""
    before = parts[at - 1].group().strip("[]").lower() if at else ""
    after = parts[at + 1].group().strip("[]").lower() if at + 1 < len(parts) else ""
    return before.startswith("h") or after.startswith("s")


def _written(value: Moment, match: re.Match[str], minutes: bool, half: bool) -> str:
    text = match.group().strip("[]").lower()
    seconds = _seconds(value)
    if match.lastgroup == "fraction":
        digits = len(text) - 1
        return "." + f"{seconds % 1:.{digits}f}".partition(".")[2]
    if match.lastgroup == "elapsed":
        unit = {"h": 3600, "m": 60, "s": 1}[text[0]]
        return str(int(seconds // unit)).rjust(len(text), "0")
    if text[0] in "yd" or (text[0] == "m" and not minutes):
        return _date_part(value, text)
    number = {
        "h": int(seconds // 3600) % (12 if half else 24),
        "m": int(seconds // 60) % 60,
        "s": int(seconds) % 60,
    }[text[0]]
    if text[0] == "h" and half and number == 0:
        number = 12
    return str(number).rjust(min(len(text), 2), "0")


def _date_part(value: Moment, text: str) -> str:
    if not isinstance(value, datetime.date):  # a time alone has no date
        return ""
    names = {"dddd": "%A", "ddd": "%a", "mmmm": "%B", "mmm": "%b", "dd": "%d", "mm": "%m"}
    if text[0] == "y":
        return value.strftime("%y") if len(text) <= 2 else f"{value.year:04d}"
    if text == "mmmmm":
        return value.strftime("%B")[0]
    return value.strftime(names[text]) if text in names else str(getattr(value, _FIELD[text[0]]))


_FIELD = {"d": "day", "m": "month"}


def _seconds(value: Moment) -> float:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.datetime | datetime.time):
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    return 0.0


def _half_of_day(value: Moment, text: str) -> str:
    late = _seconds(value) % 86400 >= 43200
    if "/" in text and len(text) == 3:
        return "P" if late else "A"
    return "PM" if late else "AM"


def is_number(value: Any) -> bool:
    """Return whether a cell's value is a number or a moment, which a format writes."""
    return isinstance(value, int | float | Moment) and not isinstance(value, bool)
