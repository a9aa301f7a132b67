"""What a spreadsheet cell shows: a number or a date as its format code writes it.

Format codes are those of ECMA-376, part 1, 18.8.31, shown as in English (United States). Formats
that depend on the reader's settings (the short date) come out as ISO dates.
"""

import operator
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from kd_kedro.datasets.sheets.moment_format import Moment, iso, shown_moment

# Built-in formats whose order of day and month is that of the reader's settings.
_OF_THE_READER = ("mm-dd-yy", "m/d/yy h:mm", "General", "@")
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[\$(?P<currency>[^\]-]*)[^\]]*\]|'
    r"\[[^\]]*\]|(?P<general>General)|(?P<exponent>E[+-])|(?P<sign>[0#?.,/%])|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.', re.DOTALL)
_SECTIONS = re.compile(r'((?:"[^"]*"|\\.|\[[^\]]*\]|[^;"\\\[])*)(;|$)', re.DOTALL)
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)\s*([-+]?[\d.]+(?:E[-+]?\d+)?)\]", re.IGNORECASE)
_HOLDS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq,
    "<>": operator.ne,
}  # fmt: skip


_TEXTS = ("text", "pad")
_COLOUR = re.compile(
    r"\[(black|blue|cyan|green|magenta|red|white|yellow|color ?\d+)\]", re.IGNORECASE
)
_EXPONENT_DIGITS = 6  # that General shows before an exponent


class _Token(NamedTuple):
    kind: str  # digit, dot, comma, slash, percent, exponent, general, text or pad
    text: str


def shown(value: float | int | Moment, code: str) -> str:
    """Return a number or a moment as a spreadsheet shows it; '' where its format hides it.

    Args:
        value: The stored value; a number that means a moment, as one.
        code: Its format code, as `0.00%`; a code that cannot be read counts as General.
    """
    try:
        return _shown(value, code)
    except (ArithmeticError, AttributeError, LookupError, ValueError):
        return iso(value) if isinstance(value, Moment) else _general(value)


def shown_text(text: str, code: str) -> str:
    """Return a text as a spreadsheet shows it: as it is, unless its format has a part for texts.

    Args:
        text: The stored text.
        code: Its format code, as `0;-0;0;"see "@`.
    """
    if code in ("General", "@", ""):
        return text
    sections = _sections(code)
    if len(sections) < 4 and "@" not in sections[-1]:
        return text
    tokens = _tokens(sections[-1])
    written = "".join(
        text if token == _Token("text", "@") else token.text
        for token in tokens
        if token.kind in ("text", "pad")
    )
    return written.strip() if any(token.kind == "pad" for token in tokens) else written


def _shown(value: float | int | Moment, code: str) -> str:
    if isinstance(value, Moment):
        return iso(value) if code in _OF_THE_READER else shown_moment(value, _sections(code)[0])
    number = Decimal(general(value))
    section, sign = _section_of(number, _sections(code or "General"))
    if not section or "@" in section:
        return _general(value) if section else ""
    tokens = _tokens(section)
    kinds = [token.kind for token in tokens]
    if "general" in kinds:
        size = _general(abs(value))
        return sign + "".join(size if token.kind == "general" else token.text for token in tokens)
    if "digit" in kinds:
        return _in_digits(number, sign, tokens)
    if re.search("[a-z]", _QUOTED.sub("", section), re.IGNORECASE):
        return _general(value)  # no format code: letters of its own are quoted
    return " ".join("".join(token.text for token in tokens).split())  # as a dash for zero


def _in_digits(number: Decimal, sign: str, tokens: list[_Token]) -> str:
    kinds = [token.kind for token in tokens]
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


def _general(value: float | int) -> str:
    """Return a number as General shows it, with an exponent where that is short and exact.

    General rounds to six digits there; a number with more of them keeps them all.
    """
    plain = general(value)
    number = Decimal(plain).normalize()
    digits = len(number.as_tuple().digits)
    long = number.adjusted() > 10 or (number.adjusted() < -4 and len(plain.partition(".")[2]) > 8)
    if not number or digits > _EXPONENT_DIGITS or not long:
        return plain
    mantissa = number.scaleb(-number.adjusted())
    return f"{mantissa:f}E{number.adjusted():+03d}"


def _sections(code: str) -> list[str]:
    sections = []
    for section, end in _SECTIONS.findall(code):
        sections.append(section)
        if not end:
            break
    return sections


def _section_of(number: Decimal, sections: Sequence[str]) -> tuple[str, str]:
    """Return the section for a number, and the minus sign where the section writes none.

    An empty section shows nothing. Without conditions the sections are those of positive and
    negative numbers and zero; a section with `@` that is the last one is for texts.
    """
    if len(sections) == 4 or (len(sections) > 1 and "@" in sections[-1]):
        sections = sections[:-1]
    minus = "-" if number < 0 else ""
    conditions = [_CONDITION.search(section) for section in sections[:2]]
    if not any(conditions):
        if number < 0 and len(sections) > 1:
            return sections[1], minus if _differ_by_colour(sections[1], sections[0]) else ""
        return sections[2 if number == 0 and len(sections) > 2 else 0], minus
    for section, found in zip(sections, conditions, strict=False):
        if found and _HOLDS[found[1]](number, Decimal(found[2])):
            # A section for negative numbers alone writes their sign itself.
            negative = found[1] in ("<", "<=") and Decimal(found[2]) <= 0
            others = [each for each in sections if each != section]
            shown = negative and not any(_differ_by_colour(section, each) for each in others)
            return section, "" if shown else minus
    rest = [s for s, found in zip(sections, [*conditions, None], strict=False) if not found]
    return (rest[-1], minus) if rest else ("General", minus)


def _differ_by_colour(section: str, other: str) -> bool:
    """Return whether two sections write the same around their digits, in other colours."""
    texts = [[t.text for t in _tokens(each) if t.kind == "text"] for each in (section, other)]
    colours = [_COLOUR.findall(each) for each in (section, other)]
    return texts[0] == texts[1] and colours[0] != colours[1]


def _tokens(section: str) -> list[_Token]:
    kinds = {".": "dot", ",": "comma", "/": "slash", "%": "percent"}
    found = []
    for match in _TOKEN.finditer(section):
        name, text = match.lastgroup, match.group(match.lastgroup) if match.lastgroup else ""
        if name == "sign":
            found.append(_Token(kinds.get(text, "digit"), text))
        elif name in ("exponent", "general"):
            found.append(_Token(name, text))
        elif name in ("quoted", "escaped", "currency", "literal"):
            found.append(_Token("text", text))
        elif match.group()[:1] == "_":
            found.append(_Token("pad", " "))  # as wide as a sign
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
    texts_inside = any(tokens[n].kind in _TEXTS for n in range(max(first, 0), whole_end))
    left = whole
    shares: dict[int, str] = {}
    if texts_inside:  # as in 000-0000: each place takes one digit, from the right
        for n in reversed(places):
            left, shares[n] = (left[:-1], left[-1:]) if n != first else ("", left)
    elif first >= 0:
        shares[first] = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", whole) if grouped else whole
    for n, token in enumerate(tokens):
        if token.kind in _TEXTS:
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
    dot = next((n for n in range(place) if tokens[n].kind == "dot"), place)
    wholes = [token.text for token in tokens[:dot] if token.kind == "digit"]
    decimals = sum(token.kind == "digit" for token in tokens[dot:place])
    width = sum(token.kind == "digit" for token in tokens[place:])
    # As many digits before the point as places; with `#`, the power is a multiple of them.
    step = max(len(wholes), 1)
    power = int(f"{number:.{decimals + step - 1}E}".partition("E")[2]) if number else 0
    power = power // step * step if "#" in wholes else power - step + 1
    mantissa = number.scaleb(-power).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    sign = "-" if power < 0 else "+" if tokens[place].text[1] == "+" else ""
    before = "".join(token.text for token in tokens[:place] if token.kind in _TEXTS)
    after = "".join(token.text for token in tokens[place:] if token.kind in _TEXTS)
    return f"{before}{mantissa:f}E{sign}{str(abs(power)).rjust(width, '0')}{after}"


def _fraction(number: Decimal, tokens: list[_Token]) -> str:
    place = next(n for n, token in enumerate(tokens) if token.kind == "slash")
    behind = "".join(token.text for token in tokens[place + 1 :])
    before = [n for n in range(place) if tokens[n].kind == "digit"]
    mixed = any(tokens[n].kind in _TEXTS for n in range(before[0], place)) if before else False
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


def is_number(value: Any) -> bool:
    """Return whether a cell's value is a number or a moment, which a format writes."""
    return isinstance(value, int | float | Moment) and not isinstance(value, bool)
