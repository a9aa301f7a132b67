"""Personal data: what in a text tells who somebody is, and text with it masked.

Numbers are known by their check digits or by what is written before them, phones by the rules of
their country (phonenumbers), people by titles, signatures and common given names. Accounting
exercises are full of made-up people and of amounts: the first are flagged as `person`, the second
never.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import NamedTuple

import pandas as pd

from kd_kedro.curation.records.schema import TEACHER, further_columns, table
from kd_kedro.curation.repair.given_names import GIVEN_NAMES
from kd_kedro.curation.repair.identity_numbers import identity_numbers
from kd_kedro.text.words import word_set

KINDS = ("person", "address", "email", "phone", "account", "card", "identity")
_LETTERED = re.compile(rf"\[({'|'.join(KINDS).upper()}) [A-Z]+\]")
FINDINGS = ["row_id", "column", "kind", "rule", "excerpt"]
SUMMARY = ["kind", "rows", "findings", "masked"]

_EMAIL = re.compile(r"\b[\w.%+-]{1,64}@(?:[\w-]+\.)+[^\W\d_]{2,}\b")
# Letters with and without accents, Greek and Cyrillic: names are written in all of them.
_LETTERS = [chr(code) for code in (*range(0xC0, 0x530), *range(0x1E00, 0x2000))]
_UPPER = "A-Z" + "".join(filter(str.isupper, _LETTERS))
_LOWER = "a-z" + "".join(filter(str.islower, _LETTERS))
_TITLE = r"(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Shri|Smt|Sri|Kumari|Messrs|Sir|Madam|Mister|CA|Adv)"
_NAME = rf"(?:[{_UPPER}]\.){{0,5}}[{_UPPER}](?:[{_LOWER}]+|\.)(?:[-'’][{_UPPER}][{_LOWER}]+)?"
_TITLED = re.compile(rf"\b({_TITLE})\b\.?\s+(?P<name>{_NAME}(?:\s+{_NAME}){{0,3}})")
_SIGNED = re.compile(
    rf"(?:\b(?:[Rr]egards|[Ss]incerely|[Ff]aithfully|[Tt]ruly),?\s{{0,20}}|\b[Mm]y name is |"
    rf"\b[Ss]igned by |\b(?:an? (?:person|man|woman|trader|merchant|customer) )?named )"
    rf"(?P<name>{_NAME}(?:\s+{_NAME}){{0,3}})"
)
_GIVEN = re.compile(
    rf"\b([A-Z][a-z]+)((?:\s+(?:[{_UPPER}]\.\s{{0,3}}){{0,5}}{_NAME}){{0,2}})(?![\w-])"
)
# A given name before these names a firm, a law or a method, not a person.
_NO_PERSON = re.compile(
    r"^(?:['’]s)?\s*(?:(?:&|and)\s*(?:Sons|Daughters|Co|Bros|Company|Brothers|Associates)|"
    r"Ltd|Limited|Inc|Corp|Co\b|Bank|"
    r"Act|Industries|Enterprises|Traders|Stores|Company|University|College|Street|Road|Motors|"
    r"Agencies|Chemicals|Electronics|Printers|Furnishers|Textiles|Exports|Imports|Foods|Brothers|"
    r"Bros|Sons|Group|Services|Solutions|Mills|Works|Associates|Partners|Steel|Tea|Sugar|"
    r"Bakery|Boutique|Bookstore|Cafe|Café|Catering|Consulting|Deli|Diner|Fashions|Florist|Flowers|"
    r"Garage|Gym|Hardware|Hotel|Jewellers|Jewelers|Kitchen|Pharmacy|Pizza|Pizzeria|Restaurant|"
    r"Salon|Shop|Store|Studio|Supermarket)\b"
)
_NO_SURNAME = word_set(
    "Act Account Accounts And At Bank By Capital Cash Co Company Corp Current Drawings Enterprises "
    "For From Goods How If In Inc Industries Is Journal Limited Loan Ltd Of On Or Partner Private "
    "Purchased Pvt Rent Rs Sales Sold Stores The To Traders What When Who Why With"
)
# "Dr" is debit and "CA" an examination before these, before an account or the credit side.
_BOOKS = word_set(
    "Account Accounts Accrued Accumulated Advance Advertising Allowance Amount Asset Assets "
    "Balance Bank Bills Building Buildings Capital Carriage Cash Column Commission Cost Cr "
    "Creditors Debentures Debtors Depreciation Discount Dividend Dividends Drawings Equipment "
    "Exam Exams Expense Expenses Final Firm Firms Foundation Freight Furniture Goods Goodwill "
    "Income Input Institute Insurance Inter Interest Intermediate Inventory Investment "
    "Investments Land Liability Loan Loss Machinery Notes Office Outstanding Output Partners "
    "Particulars Patents Petty Plant Premises Prepaid Printing Profit Provision Purchase "
    "Purchases Raw Realisation Realization Rent Reserve Retained Returns Revaluation Revenue "
    "Salaries Salary Sales Share Side Stationery Stock Student Students Sundry Supplies Suspense "
    "Tax Telephone Total Trade Trading Unearned Utilities Vehicle Vehicles Wages"
)
_ENTRY = re.compile(r"(?:(?:[A-Z]\.|[\w&'’]+)[^\S\n]{1,3}){0,3}(?:A/[Cc]|Account|Cr|To)\b")
# What is written before a number tells what it is; no more of the text has to be read.
_LOOK_BACK = 60
_LOOK_AHEAD = 40
_STREET = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Square|Terrace|"
    r"Nagar|Marg|Colony|Chowk|Bazaar|Layout|Vihar|Enclave|Highway|Parkway|Crescent|Straße|Gasse)"
)
_CAPITAL = r"(?:[A-Z]{1,2}\d[\dA-Z]?\s\d[A-Z]{2}|[A-Z]\w*(?:[.-]\w+)*|\d+(?:st|nd|rd|th))"
_TOWN = (
    rf"(?:,\s{{1,9}}{_CAPITAL}(?:\s{{1,9}}{_CAPITAL}){{0,2}}){{0,4}}"
    r"(?:(?:,?\s{1,9}|\s{0,9}-\s{0,9})(?:\d{3}\s?\d{3}|\d{5}(?:-\d{4})?)\b)?"
)
_ADDRESS = re.compile(
    rf"(?<![\w.,₹$€£-])(?:(?:Flat|House|Plot|Door|Shop|Apartment|Apt|Suite|Unit|H)\.?\s{{0,9}}"
    rf"(?:No\.?|Number|#)?\s{{0,9}})?\d{{1,5}}[A-Z]?(?:[/-]\d+)?,?\s{{1,9}}"
    rf"(?:(?:[A-Z][\w.'’-]{{0,40}}|\d+(?:st|nd|rd|th))\s{{1,9}}){{1,4}}{_STREET}\b\.?{_TOWN}"
    rf"|\b(?:Flat|House|Plot|Door|Apartment|Apt)\.?\s{{0,9}}(?:No\.?|Number|#)\s{{0,9}}"
    rf"\d+[\w/-]*{_TOWN}"
    rf"|\bP\.?\s?O\.?\s{{1,9}}Box\s{{1,9}}(?:No\.?\s{{0,9}})?\d+{_TOWN}"
    rf"|\b(?i:pin|zip|postal)\s?(?i:code)\s{{0,9}}(?:is|:|-)?\s{{0,9}}\d{{5,6}}\b"
)
_PHONE_LIKE = re.compile(r"(?<![\w.,])(?:\+|\(?\d)[\d\s().-]{6,18}\d(?![\d%]|,\d|\.\d)")
_PHONE_WORD = re.compile(
    r"(?i)\b(?:phone|mobile|tel(?:ephone)?|call|cell|contact|whatsapp|fax|ph)\b[^.?!\n]{0,25}$"
)
_AMOUNT = re.compile(r"(?:[₹$€£¥]|\b(?:rs\.?|inr|usd|eur|gbp))\s*$", re.IGNORECASE)
_CODE = re.compile(
    r"\b(?:isbn|section|account|a/c|no\.?|code|worth|of|is|are|=)\s*$", re.IGNORECASE
)
_DATE = re.compile(
    r"\d{1,2}[-.]\d{1,2}[-.]\d{2,4}|\b(?:19|20)\d\d\s?-\s?(?:19|20)?\d\d\b|\d{4}-\d\d-\d\d"
)


class Finding(NamedTuple):
    """Personal data in a text: where it starts and ends, its kind, the rule that knows it."""

    start: int
    end: int
    kind: str
    rule: str


def find(text: str, kinds: Sequence[str], phone_regions: Sequence[str] = ()) -> list[Finding]:
    """Return the personal data of a text, in the order of the text and without overlaps.

    Args:
        text: The text.
        kinds: Which of `KINDS` to look for.
        phone_regions: Countries (ISO 3166 alpha-2) whose phone numbers are known without +.
    """
    found = [Finding(*number) for number in identity_numbers(text)]
    found += [Finding(*match.span(), "email", "address") for match in _EMAIL.finditer(text)]
    found += _phones(text, phone_regions) if "phone" in kinds else []
    found += [Finding(*match.span(), "address", "street") for match in _ADDRESS.finditer(text)]
    found += _people(text) if "person" in kinds else []
    kept: list[Finding] = []
    taken = bytearray(len(text))
    # Rules are listed from the surest to the least sure.
    for each in found:
        if 1 not in taken[each.start : each.end]:
            kept.append(each)
            taken[each.start : each.end] = b"\1" * (each.end - each.start)
    return sorted(each for each in kept if each.kind in kinds)


def mask(
    texts: Sequence[str], findings: Sequence[Sequence[Finding]], kinds: Sequence[str]
) -> list[str]:
    """Return the texts of one row with what was found replaced: `[EMAIL]`, `[PERSON A]`.

    One value has one mask in all texts of the row; letters tell several values of a kind apart.

    Args:
        texts: The texts of a row.
        findings: What was found in each.
        kinds: Which kinds to mask.
    """
    values = _values(texts, findings, kinds)
    masked = []
    for text, found in zip(texts, findings, strict=True):
        parts, at = [], 0
        for each in found:
            if each.kind in kinds:
                label = _label(values[each.kind], _value(text, each), each.kind)
                parts += [text[at : each.start], label]
                at = each.end
        masked.append("".join([*parts, text[at:]]))
    return masked


def without_letters(text: str) -> str:
    """Return a text whose masks do not tell values apart, as that of a row with one of a kind."""
    return _LETTERED.sub(r"[\1]", text)


def screen(
    rows: pd.DataFrame, detect: Sequence[str], hide: Sequence[str], phone_regions: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, dict[str, dict[str, int]]]]:
    """Return rows with personal data masked, what was found, and the evidence by row_id.

    Args:
        rows: Table with `row_id`, `question`, `answer`, and further columns, which are looked
            through too, but for the name of a teacher.
        detect: Kinds to look for.
        hide: Kinds to mask.
        phone_regions: Countries whose phone numbers are known without +.

    Returns:
        The rows, a table of `FINDINGS`, and by row_id how many of each kind were found and masked.
    """
    further = [name for name in further_columns(rows) if name != TEACHER]
    columns = ["question", "answer", *further]
    texts: dict[str, list[str]] = {column: [] for column in columns}
    records: list[list[str]] = []
    evidence: dict[str, dict[str, dict[str, int]]] = {}
    for row in rows.to_dict("records"):
        cells = [row[column] for column in columns]
        found = [find(cell, detect, phone_regions) for cell in cells]
        for column, text in zip(columns, mask(cells, found, hide), strict=True):
            texts[column].append(text)
        for column, cell, some in zip(columns, cells, found, strict=True):
            records += [
                [row["row_id"], column, each.kind, each.rule, excerpt(cell[each.start : each.end])]
                for each in some
            ]
        if kinds := Counter(each.kind for some in found for each in some):
            hidden = {kind: count for kind, count in kinds.items() if kind in hide}
            evidence[row["row_id"]] = {"found": dict(kinds)} | (
                {"masked": hidden} if hidden else {}
            )
    return rows.assign(**texts), table(FINDINGS, records), evidence


def summarise(findings: pd.DataFrame, detect: Sequence[str], hide: Sequence[str]) -> pd.DataFrame:
    """Return, by kind that was looked for, in how many rows how much was found, and if masked."""
    records = []
    for kind in detect:
        some = findings[findings["kind"] == kind]
        masked = "yes" if kind in hide else "no"
        records.append([kind, str(some["row_id"].nunique()), str(len(some)), masked])
    return table(SUMMARY, records)


def excerpt(value: str) -> str:
    """Return what a value looks like without telling it: its first sign, the length of the rest."""
    return f"{value[0]}… ({len(value)} characters)"


def _people(text: str) -> Iterator[Finding]:
    for rule, pattern in (("title", _TITLED), ("signature", _SIGNED)):
        for match in pattern.finditer(text):
            if not (rule == "title" and _is_entry(match)):
                yield Finding(*match.span("name"), "person", rule)
    for match in _GIVEN.finditer(text):
        if match[1] not in GIVEN_NAMES:
            continue
        end = match.end(1)
        for surname in re.finditer(rf"\s+[{_UPPER}][\w.'’-]*", match[2]):
            if surname.group().strip() in _NO_SURNAME:
                break
            end = match.start(2) + surname.end()
        after = (text[place : place + _LOOK_AHEAD] for place in (match.end(1), end))
        if not any(_NO_PERSON.match(some) for some in after):
            yield Finding(match.start(), end, "person", "given name")


def _is_entry(match: re.Match[str]) -> bool:
    """Return whether a title is none: "Dr Machinery A/c", "CA Institute"."""
    if match[1] not in ("Dr", "CA"):
        return False
    first = match["name"].split()[0]
    return first in _BOOKS or bool(_ENTRY.match(match.string, match.start("name")))


def _phones(text: str, regions: Sequence[str]) -> Iterator[Finding]:
    import phonenumbers

    for match in _PHONE_LIKE.finditer(text):
        start, value = match.start(), match.group()
        before = text[max(0, start - _LOOK_BACK) : start]
        said = bool(_PHONE_WORD.search(before))
        if not _may_be_phone(value, before, said):
            continue
        for region in [None, *regions] if value.startswith("+") else regions:
            try:
                number = phonenumbers.parse(value, region)
            except phonenumbers.NumberParseException:
                continue
            valid = phonenumbers.is_valid_number(number)
            if valid or (said and phonenumbers.is_possible_number(number)):
                yield Finding(start, match.end(), "phone", "said" if said else "number plan")
                break


def _may_be_phone(value: str, before: str, said: bool) -> bool:
    """Return whether a run of digits may be a phone number: no amount, no date, no code."""
    digits = re.sub(r"\D", "", value)
    if not 8 <= len(digits) <= 15 or _DATE.search(value) or _AMOUNT.search(before):
        return False
    if value.startswith("+"):
        return True
    # Ten digits in a row are as often an amount or a code.
    return (said and len(digits) >= 10) or (value != digits and (said or not _CODE.search(before)))


Value = tuple[str, ...]


def _values(
    texts: Sequence[str], findings: Sequence[Sequence[Finding]], kinds: Sequence[str]
) -> dict[str, list[Value]]:
    """Return the different values of each kind in the order in which they come."""
    values: dict[str, list[Value]] = {kind: [] for kind in kinds}
    for text, found in zip(texts, findings, strict=True):
        for each in found:
            if (
                each.kind in kinds
                and _place(values[each.kind], value := _value(text, each)) is None
            ):
                values[each.kind].append(value)
    return values


def _value(text: str, finding: Finding) -> Value:
    """Return the names of a person without initials, the letters and digits of anything else."""
    value = text[finding.start : finding.end].casefold()
    if finding.kind == "person":
        words = tuple(re.findall(r"[^\W\d_]{2,}", value))
        return words or (value,)
    return (re.sub(r"[\W_]", "", value),)


def _place(values: Sequence[Value], value: Value) -> int | None:
    """Return where a value stands among others: "Ravi" and "Kumar" are both "Ravi Kumar"."""
    for place, other in enumerate(values):
        one_of = (len(value) == 1 and value[0] in other) or (len(other) == 1 and other[0] in value)
        if value == other or one_of:
            return place
    return None


def _label(values: Sequence[Value], value: Value, kind: str) -> str:
    if len(values) == 1:
        return f"[{kind.upper()}]"
    number, letters = _place(values, value) or 0, ""
    while number >= 0:
        number, letters = number // 26 - 1, ascii_uppercase[number % 26] + letters
    return f"[{kind.upper()} {letters}]"
