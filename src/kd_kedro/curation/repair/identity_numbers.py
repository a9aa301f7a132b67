"""Identity, account and card numbers: their form, and the check digits that tell them from others.

A form alone would flag amounts and codes; where an issuer defined a check digit it must fit.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Number(NamedTuple):
    """A number in a text: where it starts and ends, its kind and the rule that knows it."""

    start: int
    end: int
    kind: str
    rule: str


_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_AMOUNT_BEFORE = re.compile(r"(?:[₹$€£¥]|\b(?:rs\.?|inr|usd|eur|gbp))\s*$", re.IGNORECASE)
# Verhoeff, "Error Detecting Decimal Codes" (1969): products in the dihedral group of order 10.
_PRODUCT = [
    [(a + b) % 5 if b < 5 else 5 + (a + b) % 5 for b in range(10)] if a < 5
    else [5 + (a - b) % 5 if b < 5 else (a - b) % 5 for b in range(10)]
    for a in range(10)
]  # fmt: skip
_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def luhn(digits: str) -> bool:
    """Return whether digits end in their Luhn check digit (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def verhoeff(digits: str) -> bool:
    """Return whether digits end in their Verhoeff check digit (Verhoeff 1969)."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = _TURN[value]
        check = _PRODUCT[check][value]
    return check == 0


def iban(text: str) -> bool:
    """Return whether an IBAN without spaces has remainder 1 modulo 97 (ISO 13616)."""
    turned = text[4:] + text[:4]
    return int("".join(str(_DIGITS.index(sign)) for sign in turned)) % 97 == 1


def gstin(text: str) -> bool:
    """Return whether an Indian GSTIN ends in its check sign (Luhn's scheme in base 36)."""
    total = 0
    for place, sign in enumerate(text[:14]):
        value = _DIGITS.index(sign) * (1 + place % 2)
        total += value // 36 + value % 36
    return _DIGITS[(36 - total % 36) % 36] == text[14]


def _bare(text: str) -> str:
    return re.sub(r"[\s-]", "", text)


def _is_card(text: str) -> bool:
    digits = _bare(text)
    return 13 <= len(digits) <= 19 and luhn(digits) and len(set(digits)) > 1


def _is_ssn(text: str) -> bool:
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


_LABEL = r"(?:\s{0,9}(?:number|no\.?|num|#|id))?\s{0,9}(?:is|was|:|-|=)?\s{0,9}"
_RULES: tuple[tuple[str, str, re.Pattern[str], Callable[[str], bool]], ...] = (
    (
        "account",
        "iban",
        re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,4})?\b"),
        lambda text: 15 <= len(_bare(text)) <= 34 and iban(_bare(text)),
    ),
    (
        "identity",
        "gstin",
        re.compile(r"\b\d{2}[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]\b"),
        gstin,
    ),
    (
        "identity",
        "pan",
        re.compile(r"\b[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]\b"),
        lambda text: text[5:9] != "0000",
    ),
    (
        "card",
        "luhn",
        re.compile(
            r"(?<![\d.,-])(?:4\d|5[1-5]|2[2-7]|3[47]|6[05]|8[12])\d{2}"
            r"(?:[ -]?\d{2,6}){2,4}(?![\d,-]{0,20}\d)"
        ),
        _is_card,
    ),
    (
        "identity",
        "aadhaar",
        re.compile(r"(?<![\d.,-])[2-9]\d{3}([ -])\d{4}\1\d{4}(?![\d,.-]{0,20}\d)"),
        lambda text: verhoeff(_bare(text)),
    ),
    (
        "identity",
        "aadhaar",
        re.compile(rf"(?i)(?<=aadhaar)(?:\s*card)?{_LABEL}(?P<value>[2-9]\d{{11}})(?!\d)"),
        lambda text: verhoeff(_bare(text)),
    ),
    ("identity", "us ssn", re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"), _is_ssn),
    (
        "identity",
        "passport",
        re.compile(rf"(?i:\bpassport){_LABEL}(?P<value>[A-Z]{{1,2}}\d{{6,8}}|\d{{9}})\b"),
        lambda text: True,
    ),
    (
        "account",
        "account number",
        re.compile(
            r"(?i)\b(?:account|a/c|acct\.?)\s{0,9}(?:number|no\.?|num|#)\s{0,9}(?:is|was|:|-|=)?\s{0,9}"
            r"(?P<value>\d(?:[ -]?\d){7,17})(?![\d,.]{0,20}\d)"
        ),
        lambda text: True,
    ),
    (
        "account",
        "upi",
        re.compile(
            r"(?i)\b[\w.-]{2,40}@(?:upi|ybl|ibl|axl|apl|paytm|ok(?:axis|hdfcbank|icici|sbi))\b(?!\.)"
        ),
        lambda text: True,
    ),
)


def identity_numbers(text: str) -> Iterator[Number]:
    """Yield the identity, account and card numbers of a text; amounts are none."""
    if not re.search(r"\d{2}|@", text):
        return
    for kind, rule, pattern, fits in _RULES:
        for match in pattern.finditer(text):
            group = "value" if "value" in pattern.groupindex else 0
            start = match.start(group)
            if fits(match[group]) and not _AMOUNT_BEFORE.search(text[max(0, start - 8) : start]):
                yield Number(start, match.end(group), kind, rule)
