"""Numbers with their units, read so that two ways to write one amount are one amount.

1,000 is 1000 is 1000.00 is one thousand; 5 % is five per cent; Rs 500 is ₹500 is 500 rupees;
१,००० is 1,000, and in German 1.000,50 is 1000.5.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from kd_kedro.text.language import foreign_language
from kd_kedro.text.numerals import SCALES, SPELT, either, spelt_values, written
from kd_kedro.text.words import word_set

_VULGAR = {
    "½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8", "⅕": "1/5",
}  # fmt: skip
_CURRENCIES = {
    "₹": "₹", "rs": "₹", "inr": "₹", "rupee": "₹", "rupees": "₹", "re": "₹", "$": "$", "us$": "$",
    "usd": "$", "dollar": "$", "dollars": "$", "€": "€", "eur": "€", "euro": "€", "euros": "€",
    "£": "£", "gbp": "£", "pound": "£", "pounds": "£", "sterling": "£", "¥": "¥", "jpy": "¥",
    "yen": "¥", "cny": "yuan", "yuan": "yuan", "aed": "dirham", "dirham": "dirham",
    "dirhams": "dirham",
}  # fmt: skip
_UNITS = {
    "%": "%", "percent": "%", "per cent": "%", "pct": "%", "percentage points": "%", "‰": "‰",
    "°": "°", "hour": "h", "hr": "h", "minute": "min", "min": "min", "second": "s", "day": "day",
    "week": "week", "month": "month", "year": "year", "yr": "year", "decade": "decade",
    "kg": "kg", "kilogram": "kg", "g": "g", "gm": "g", "gram": "g", "mg": "mg", "ton": "t",
    "tonne": "t", "quintal": "quintal", "lb": "lb", "km": "km", "kilometre": "km",
    "kilometer": "km", "m": "m", "metre": "m", "meter": "m", "cm": "cm", "centimetre": "cm",
    "centimeter": "cm", "mm": "mm", "mile": "mile", "feet": "foot", "foot": "foot", "ft": "foot",
    "inch": "inch", "inches": "inch", "litre": "l", "liter": "l", "l": "l", "ml": "ml",
    "acre": "acre", "hectare": "hectare", "kwh": "kwh", "bps": "bp", "basis point": "bp",
    "dozen": "dozen", "score": "score",
}  # fmt: skip


# Forms of the signs of ASCII in East Asian type and in Arabic.
_PLAIN_SIGNS = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | str.maketrans(
    "٪٫٬￥￡", "%.,¥£"
)
_DIGIT = re.compile(r"\d")
# Where a comma parts the decimals, and a point or a narrow space the thousands.
_DECIMAL_COMMA = word_set(
    "French German Spanish Italian Portuguese Dutch Swedish Danish Norwegian Finnish Polish Czech "
    "Croatian Hungarian Romanian Catalan Turkish Indonesian Vietnamese Lithuanian Latvian Estonian"
) | {"the script Cyrillic", "the script Greek"}
_THOUSANDS = re.compile(r"(?<=\d)[.\u00a0\u202f'’](?=\d{3}(?!\d))")
_CURRENCY = re.compile(
    r"us\$|[₹$€£¥]|(?<![a-z])(?:"
    + either([word for word in _CURRENCIES if word[0].isalpha() and word not in ("us$", "re")])
    + r")(?![a-z])|(?<![a-z])re(?=\.?\s?\d)"
)
_SCALE = rf"(?:[\s-]?(?P<scale>{either(list(SCALES))})s?(?![a-z]))?"
# A longer run of figures is no amount, and Python reads no number of thousands of them.
_MOST_FIGURES = 40
_SPACE = re.compile(r"\s*")
_FIGURE = re.compile(
    rf"(?<![\w.])\d+[^\S\n]+[1-9]/[1-9](?!\d)|\d+(?:\.\d+)*(?:st|nd|rd|th)?{_SCALE}"
)
_FRACTION = re.compile(r"(?<![\d/])([1-9])/([2-9])(?![\d/])(?!\s*,?\s*(?:net|n/))")
_UNIT_AFTER = re.compile(
    r"[\s-]?(?:(?:full|whole|calendar|consecutive|working|more|additional|square|cubic|equal)\s)?"
    rf"(?P<unit>[%‰°]|(?:{either([unit for unit in _UNITS if unit[0].isalpha()])})s?(?![a-z]))"
)
_PER_YEAR = re.compile(r"(?<![a-z])(?:per annum|p\.\s?a\b\.?|per year|annually|yearly|every year)")
_YEARLY = re.compile(r"(?<![a-z])(?:annum|p\.\s?a|year|yearly|annual|annually)(?![a-z])")
_OPERATORS = re.compile(r"[+×÷=<>≤≥≠±√^]|(?<=\s)[-−–*/](?=\s)|(?<=\d)[*/](?=\d)")
_OPERATOR_WORDS = (
    (re.compile(r"\bplus\b"), "+"),
    (re.compile(r"\bminus\b"), "-"),
    (re.compile(r"\bmultiplied by\b|(?<=\d)\s+times\s+(?=\d)"), "×"),
    (re.compile(r"\bdivided by\b"), "÷"),
    (re.compile(r"\b(?:is|are) equal to\b|\bequals?\b"), "="),
)
_SAME_OPERATOR = {"*": "×", "/": "÷", "−": "-", "–": "-"}
_LIST_GAP = re.compile(r"\s*(?:to|and|or|-|–|,|&|/)\s*(?:[₹$€£]|rs\.?)?\s*")


@dataclass(frozen=True)
class Quantity:
    """A number in a text.

    Attributes:
        value: The number in lowest terms; a factor ("twice") starts with ×.
        unit: The unit right after it (% included) or the currency at its side, '' where none.
        loose: Whether it may be no number at all ("the one that").
        start: Where it stands in the text that `plain` returns.
        end: Where it ends there.
    """

    value: str
    unit: str
    loose: bool
    start: int
    end: int


@lru_cache(maxsize=1000)  # whoever reads a text asks for it several times in a row
def plain(text: str) -> str:
    """Return a text in small letters, its numbers without separators between thousands."""
    small = text.casefold()
    if not small.isascii():
        small = _DIGIT.sub(lambda found: str(int(found.group())), small.translate(_PLAIN_SIGNS))
    if "," in small or "." in small or not small.isascii():
        small = _with_decimal_points(small, text)
    small = small.replace("’", "'").replace("\u00a0", " ").replace("\u202f", " ")
    for sign in _VULGAR.keys() & set(small):
        figures = _VULGAR[sign]
        small = re.sub(rf"(?<=\d){sign}", f" {figures}", small).replace(sign, figures)
    # Groups of thousands, or of lakhs, the last of three figures: "3,50" is none.
    small = re.sub(r"(?<=\d),(?=\d{3}(?!\d)|\d{2},\d)", "", small)
    small = small.replace("per cent", "percent").replace("per-cent", "percent")
    return re.sub(r"(?<![a-z])1st(?![a-z])", "first", small)


def _with_decimal_points(small: str, text: str) -> str:
    """Return a text whose numbers are written as in English, where its language says otherwise."""
    if foreign_language(text) not in _DECIMAL_COMMA:
        return small
    # Three figures behind a comma are thousands in more sheets than they are decimals.
    return re.sub(r"(?<=\d),(?=\d)(?!\d{3}(?!\d))", ".", _THOUSANDS.sub("", small))


def quantities(text: str) -> list[Quantity]:
    """Return the numbers of a text with their units, in the order in which they stand there."""
    small = plain(text)
    found: list[Quantity] = []
    taken = 0
    spans = sorted(
        [match for pattern in (_FRACTION, _FIGURE, SPELT) for match in pattern.finditer(small)],
        key=lambda match: (match.start(), -match.end()),
    )
    for match in spans:
        if match.start() < taken:
            continue
        end = match.start() + len(match.group().rstrip(" -"))
        for value, loose in _values(match, small):
            unit = "" if value.startswith("×") else _unit(small, match.start(), end)
            found.append(Quantity(value, unit, loose, match.start(), end))
        taken = end
    return _with_shared_units(found, small)


def number_marks(text: str) -> dict[str, list[tuple[int, int, str]]]:
    """Return where the numbers of a plain text stand, by unit: start, end, value."""
    marks: dict[str, list[tuple[int, int, str]]] = {}
    for each in quantities(text):
        if not each.loose:
            marks.setdefault(each.unit, []).append((each.start, each.end, each.value))
    return marks


def quantity_defect(source: str, rewrite: str) -> str:
    """Return which number, unit, currency or operator a rewrite changes; '' where none."""
    before, after = quantities(source), quantities(rewrite)
    lost, new = _strict_difference(before, after)
    if lost or new:
        return f"numbers changed: {', '.join(sorted([*lost.elements(), *new.elements()]))}"
    return _unit_defect(before, after, plain(source), plain(rewrite))


def _strict_difference(
    before: Sequence[Quantity], after: Sequence[Quantity]
) -> tuple[Counter[str], Counter[str]]:
    """Return the values lost and new; one that may be no number is missed by nobody."""
    was = Counter(each.value for each in before if not each.loose)
    now = Counter(each.value for each in after if not each.loose)
    maybe_was = Counter(each.value for each in before if each.loose)
    maybe_now = Counter(each.value for each in after if each.loose)
    return was - now - maybe_now, now - was - maybe_was


def _unit_defect(
    before: Sequence[Quantity], after: Sequence[Quantity], source: str, rewrite: str
) -> str:
    if moved := currencies(source) ^ currencies(rewrite):
        return f"units changed: {', '.join(sorted(moved))}"
    units, new_units = _bound(before), _bound(after)
    for value in units.keys() & new_units.keys():
        if changed := _unit_change(units[value], new_units[value]):
            return f"units changed: {value} {changed}".strip()
    priced, new_priced = _priced(units), _priced(new_units)
    both = units.keys() & new_units.keys()
    if (priced - new_priced) & both and (new_priced - priced) & both:
        return f"units changed: {', '.join(sorted((priced ^ new_priced) & both))}"
    for one, other in ((source, rewrite), (rewrite, source)):
        if _PER_YEAR.search(one) and not _YEARLY.search(other):
            return "units changed: per annum"
    was, now = operators(source), operators(rewrite)
    # "Plus" is + where the other text has a sign for it, and else a word like others.
    if was != now and operators(_signs(source)) != operators(_signs(rewrite)):
        return f"operators changed: {', '.join(sorted((was - now) + (now - was)))}"
    return ""


_SIGNS = frozenset(_CURRENCIES.values())


def _unit_change(was: Counter[str], now: Counter[str]) -> str:
    """Return the units of one number that are not the same, '' where they are."""
    money, others = ({u for u in units if u in _SIGNS} for units in (was, now))
    changed = {u for u in (was - now) + (now - was) if u not in _SIGNS}
    # A currency may be said once for several amounts, but never be another one.
    if money and others and money != others:
        changed |= money ^ others
    return ", ".join(sorted(changed))


def _bound(found: Sequence[Quantity]) -> dict[str, Counter[str]]:
    bound: dict[str, Counter[str]] = {}
    for each in found:
        if not each.loose:
            bound.setdefault(each.value, Counter())[each.unit] += bool(each.unit)
    return {value: +units for value, units in bound.items()}


def _priced(bound: dict[str, Counter[str]]) -> set[str]:
    """Return the values that are an amount of money somewhere."""
    return {value for value, units in bound.items() if set(units) & _SIGNS}


def currencies(small: str) -> set[str]:
    """Return the currencies that a plain text names."""
    return {_CURRENCIES[sign] for sign in _CURRENCY.findall(small)}


def operators(small: str) -> Counter[str]:
    """Return how often each sign of calculation stands in a plain text."""
    return Counter(
        _SAME_OPERATOR.get(sign, sign) for sign in _OPERATORS.findall(_no_fraction(small))
    )


def _signs(small: str) -> str:
    """Return a text with its words for operators as signs."""
    for pattern, sign in _OPERATOR_WORDS:
        small = pattern.sub(f" {sign} ", small)
    return small


def _no_fraction(small: str) -> str:
    return _FRACTION.sub(" ", small)


def _unit(small: str, start: int, end: int) -> str:
    if match := _UNIT_AFTER.match(small, end):
        unit = match["unit"]
        return _UNITS.get(unit) or _UNITS[unit.removesuffix("s")]
    before = small[max(0, start - 9) : start].rstrip(" .")
    for sign in _CURRENCY.finditer(before + " "):
        if sign.end() >= len(before):
            return _CURRENCIES[sign.group()]
    space = _SPACE.match(small, end)
    if space and (match := _CURRENCY.match(small, space.end())):
        return _CURRENCIES[match.group()]
    return ""


def _with_shared_units(found: list[Quantity], small: str) -> list[Quantity]:
    """Return quantities where "5 to 10 %" gives both their unit."""
    shared = list(found)
    for n in range(len(shared) - 2, -1, -1):
        one, next_one = shared[n], shared[n + 1]
        if not one.unit and next_one.unit and not next_one.loose:
            gap = small[one.end : next_one.start]
            if _LIST_GAP.fullmatch(gap) and "," not in gap:
                shared[n] = Quantity(one.value, next_one.unit, one.loose, one.start, one.end)
    return shared


def _values(match: re.Match[str], small: str) -> list[tuple[str, bool]]:
    if match.re is _FRACTION:
        return [(written(Fraction(int(match[1]), int(match[2]))), False)]
    if match.re is _FIGURE:
        return _figure(match)
    return spelt_values(match.group().strip(" -"), small[match.end() : match.end() + 12])


def _figure(match: re.Match[str]) -> list[tuple[str, bool]]:
    text = match.group()
    if "/" in text:
        whole, part = text.split()
        if len(whole) > _MOST_FIGURES:
            return [(whole, False), (written(Fraction(part)), False)]
        return [(written(int(whole) + Fraction(part)), False)]
    scale = match["scale"]
    digits = re.match(r"\d+(?:\.\d+)*", text)
    number = digits.group() if digits else text
    if number.count(".") > 1 or len(number) > _MOST_FIGURES:  # a date, a section, a long code
        return [(number, False)]
    value = Fraction(number) * (SCALES[scale] if scale else 1)
    return [(written(value), False)]
