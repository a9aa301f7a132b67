"""What a spreadsheet cell shows of a date, a time or a duration, as its format code writes it.

Format codes are those of ECMA-376, part 1, 18.8.31.
"""

import datetime
import re
from decimal import ROUND_HALF_UP, Decimal

from kd_kedro.datasets.sheets.date_names import date_names

Moment = datetime.datetime | datetime.date | datetime.time | datetime.timedelta
_DATE_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[\$(?P<currency>[^\]-]*)[^\]]*\]|'
    r"\[(?P<elapsed>h+|m+|s+)\]|\[[^\]]*\]|(?P<half>AM/PM|A/P)|(?P<part>y+|m+|d+|h+|s+)|"
    r"(?P<fraction>\.0+)|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_LOCALE = re.compile(r"\[\$[^\]-]*-([0-9A-F]+)[^\]]*\]", re.IGNORECASE)
_SYSTEM_DATE, _SYSTEM_TIME = 0xF800, 0xF400  # the order that the reader's settings say


def iso(value: Moment) -> str:
    """Return a moment as ISO 8601 writes it; a time of midnight is left out of a date."""
    if isinstance(value, datetime.datetime):
        day = value.time() == datetime.time()
        return value.date().isoformat() if day else value.isoformat(sep=" ")
    return str(value) if isinstance(value, datetime.timedelta) else value.isoformat()


def shown_moment(value: Moment, section: str) -> str:
    """Return a moment as one section of a format code shows it.

    Args:
        value: A date, a time, both, or a duration.
        section: The section, as `d mmmm yyyy` or `[h]:mm`; one without a part of a date or time, of
            an era, or with names in a language that is not known here counts as an ISO date.
    """
    locale = int(found[1], 16) if (found := _LOCALE.search(section)) else None
    if locale == _SYSTEM_DATE:
        return iso(value)
    if locale == _SYSTEM_TIME:
        section = "h:mm:ss"
    names = date_names(locale)
    tokens = list(_DATE_TOKEN.finditer(section))
    parts = [match for match in tokens if match.lastgroup in ("part", "elapsed", "fraction")]
    era = any(match.lastgroup == "literal" and match.group() in "gGeEbBaA" for match in tokens)
    if not parts or era or (names is None and any(_is_name(match) for match in parts)):
        return iso(value)
    half = any(match.lastgroup == "half" for match in tokens)
    value = _to_shown_second(value, parts)
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
            out.append(_written(value, match, minutes, half, names or ()))
    return " ".join("".join(out).split())


def _to_shown_second(value: Moment, parts: list[re.Match[str]]) -> Moment:
    """Return a moment rounded to the last place of its seconds, where they are shown."""
    letters = {match.group().strip("[]")[:1].lower() for match in parts}
    if "s" not in letters or not isinstance(
        value, datetime.time | datetime.datetime | datetime.timedelta
    ):
        return value
    places = max((len(match.group()) - 1 for match in parts if match.group()[0] == "."), default=0)
    exact = Decimal(str(_seconds(value)))
    further = float(exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) - exact)
    if isinstance(value, datetime.time):
        day = datetime.datetime.combine(datetime.date(2000, 1, 1), value)
        return (day + datetime.timedelta(seconds=further)).time()
    return value + datetime.timedelta(seconds=-further if _is_negative(value) else further)


def _is_minute(parts: list[re.Match[str]], at: int) -> bool:
    """Return whether an m is a minute: it stands behind hours, or before seconds."""
    before = parts[at - 1].group().strip("[]").lower() if at else ""
    after = parts[at + 1].group().strip("[]").lower() if at + 1 < len(parts) else ""
    return before.startswith("h") or after.startswith("s")


def _is_name(match: re.Match[str]) -> bool:
    return match.group()[:1].lower() in ("m", "d") and len(match.group()) > 2


def _written(
    value: Moment,
    match: re.Match[str],
    minutes: bool,
    half: bool,
    names: tuple[list[str], ...],
) -> str:
    text = match.group().strip("[]").lower()
    seconds = _seconds(value)
    if match.lastgroup == "fraction":
        digits = len(text) - 1
        return "." + f"{seconds % 1:.{digits}f}".partition(".")[2]
    if match.lastgroup == "elapsed":
        unit = {"h": 3600, "m": 60, "s": 1}[text[0]]
        sign = "-" if _is_negative(value) else ""
        return sign + str(int(seconds // unit)).rjust(len(text), "0")
    if text[0] in "yd" or (text[0] == "m" and not minutes):
        return _date_part(value, text, names)
    number = {
        "h": int(seconds // 3600) % (12 if half else 24),
        "m": int(seconds // 60) % 60,
        "s": int(seconds) % 60,
    }[text[0]]
    if text[0] == "h" and half and number == 0:
        number = 12
    return str(number).rjust(min(len(text), 2), "0")


def _date_part(value: Moment, text: str, names: tuple[list[str], ...]) -> str:
    if not isinstance(value, datetime.date):  # a time alone has no date
        return ""
    if text[0] == "y":
        return value.strftime("%y") if len(text) <= 2 else f"{value.year:04d}"
    if len(text) > 2:
        months, days, short_months, short_days = names
        if text[0] == "d":
            return (days if len(text) > 3 else short_days)[value.weekday()]
        if len(text) == 5:
            return months[value.month - 1][0]
        return (months if len(text) > 3 else short_months)[value.month - 1]
    return str(getattr(value, _FIELD[text[0]])).rjust(len(text), "0")


_FIELD = {"d": "day", "m": "month"}


def _is_negative(value: Moment) -> bool:
    return isinstance(value, datetime.timedelta) and value < datetime.timedelta()


def _seconds(value: Moment) -> float:
    if isinstance(value, datetime.timedelta):
        return abs(value.total_seconds())
    if isinstance(value, datetime.datetime | datetime.time):
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    return 0.0


def _half_of_day(value: Moment, text: str) -> str:
    late = _seconds(value) % 86400 >= 43200
    if "/" in text and len(text) == 3:
        return "P" if late else "A"
    return "PM" if late else "AM"
