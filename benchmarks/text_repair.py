"""Text repair, judged on the symbols of every row and on mojibake planted here.

`--data` is a sheet (CSV), or a folder of CSV and XML files (MedQuAD's form). No figure is judged by
the tool that repairs: symbols are counted character by character before and after, and a planted
row must come back as it was before it was broken.
"""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from measuring import finish, parser, run
from sheets import COLUMNS, read_records

from kd_kedro.curation.repair.text_repair import (
    REPLACEMENT,
    is_unrepairable,
    repair,
    repair_defect,
)

CATEGORIES = ("Nd", "No", "Nl", "Sc", "Sm", "So")
SIGNS = frozenset("%‰-/*^#°′″½⁻")
# Texts of the kinds a sheet has, with signs of every kind that breaks.
FABRICATED = (
    "The fee is ₹ 2,25,000 and the fine ₹ 500.",
    "A price of €3.50 – or £2 – is 50 % higher.",
    "He said “first in, first out” and it’s so.",
    "½ of 10⁻³ is 5 × 10⁻⁴, ±2 %.",
    "x ≤ y and y ≥ z, so x ≠ z − 1.",
    "Σ(x²) ÷ n = σ², √9 = 3 and π ≈ 3.14.",
    "CO₂ and H₂O at 25 °C, 5 µm and 3 Ω.",
    "Café, naïve, Müller, São Paulo, Ångström, Łódź, façade",
    "Der Großhändler zahlt 1.000 € für das Öl.",
    "Précis à la carte: crème brûlée, 12 €",
    "ΔG = ΔH − TΔS, α = 0.05, β = 0.2",
    "A dash — and an ellipsis… and a bullet • here™ ® ©",
    "लेखांकन का अर्थ ₹ 100",
    "Бухгалтерский учёт: 5 %",
    "会計 £5",
    "¿Cuánto cuesta? 5 ¢ o 7 ¥",
    "§ 5 applies in 3 cases, see ¶ 2",
    "3 × 4 = 12",
    "£5",
    "½",
    "“yes”",
    "5–7",
)


def read_rows(path: Path) -> list[str]:
    """Return the texts of every record of a CSV, XML file or folder of them.

    The header of a sheet is no record; files in MMLU's form have none.

    Raises:
        ValueError: There is none, a file is not CSV or XML, or an XML file declares entities.
    """
    if not path.exists():
        raise ValueError(f"{path} does not exist: give a sheet or a folder of CSV or XML files")
    paths = [path] if path.is_file() else sorted(path.rglob("*"))
    rows: list[str] = []
    for each in paths:
        if each.suffix.lower() in (".csv", ".tsv"):
            rows.extend(_csv_rows(each))
        elif each.suffix.lower() == ".xml":
            rows.extend(_xml_rows(each))
    if not rows:
        raise ValueError(f"{path} has no CSV or XML rows: give a sheet or a folder of them")
    return rows


def _csv_rows(path: Path) -> Iterator[str]:
    records = read_records(path, "\t" if path.suffix.lower() == ".tsv" else ",")
    for number, cells in enumerate(records):
        header = number == 0 and {COLUMNS["question"], COLUMNS["answer"]} <= {
            *map(str.strip, cells)
        }
        if not header and any(cell.strip() for cell in cells):
            yield "\n".join(cells)


def _xml_rows(path: Path) -> Iterator[str]:
    data = path.read_bytes()
    if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
        raise ValueError(f"{path} declares a document type: entities are not expanded; remove it")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as XML ({error}): correct or remove it") from error
    for pair in root.iter("QAPair"):
        question, answer = (pair.findtext(name) or "" for name in ("Question", "Answer"))
        if question.strip() or answer.strip():
            yield f"{question}\n{answer}"


# --- Symbols -------------------------------------------------------------------------------------


def symbols(text: str) -> Counter[str]:
    """Return how often each digit, operator, unit and currency sign stands in a text."""
    # Full-width forms are the same signs; HTML entities are how a page writes one.
    plain = html.unescape(unicodedata.normalize("NFC", text))
    plain = "".join(
        unicodedata.normalize("NFKC", char) if "\uff01" <= char <= "\uffee" else char
        for char in plain
    )
    return Counter(
        char for char in plain if unicodedata.category(char) in CATEGORIES or char in SIGNS
    )


def judge_rows(rows: list[str]) -> dict[str, Any]:
    """Return how many rows lose a symbol, change again when repaired again, or keep mojibake."""
    losing, unstable, left, refused, quarantined = [], [], [], [], []
    for number, text in enumerate(rows, start=1):
        repaired = repair(text)[0]
        if is_unrepairable(text):
            (quarantined if repair_defect(text, repaired) else losing).append(number)
            continue
        if repair_defect(text, repaired):
            refused.append(number)
            continue
        if symbols(undo_mojibake(text)) - symbols(repaired):
            losing.append(number)
        if repair(repaired)[0] != repaired:
            unstable.append(number)
        if undo_mojibake(repaired) != repaired:
            left.append(number)
    return {
        "rows": len(rows),
        "rows_losing_symbols": len(losing),
        "rows_unstable": len(unstable),
        "rows_quarantined": len(quarantined),
        "rows_refused": len(refused),
        "rows_with_mojibake_left": len(left),
        "row_numbers": {"losing": losing, "refused": refused, "left": left, "unstable": unstable},
    }


# --- Mojibake ------------------------------------------------------------------------------------

_RUN = re.compile(r"[^\x00-\x7f]{2,}")


def undo_mojibake(text: str) -> str:
    """Return a text whose runs of UTF-8 read as Windows-1252 or Latin-1 are read as UTF-8."""

    def undo(match: re.Match[str]) -> str:
        try:
            return _bytes(match.group()).decode("utf-8")
        except UnicodeError:
            return match.group()

    return _RUN.sub(undo, text)


def plant(text: str) -> dict[str, str]:
    """Return a text broken in every way that occurs, by the name of the way."""
    raw = text.encode("utf-8")
    return {
        "cp1252": _misread(raw),
        "latin-1": raw.decode("latin-1"),
        "mac-roman": raw.decode("mac-roman"),
        "cp1252 twice": _misread(_misread(raw).encode("utf-8")),
        "latin-1 twice": raw.decode("latin-1").encode("utf-8").decode("latin-1"),
    }


def _misread(raw: bytes) -> str:
    """Read bytes as Windows-1252 the way programs do: undefined bytes become C1 controls."""
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in raw)


def _bytes(text: str) -> bytes:
    return b"".join(char.encode("cp1252", "ignore") or char.encode("latin-1") for char in text)


def judge_planted(rows: list[str]) -> dict[str, Any]:
    """Break sound rows that are not ASCII, and fabricated ones, and repair them again."""
    sound = [text for text in rows if not text.isascii() and REPLACEMENT not in text]
    sound = [
        text for text in sound if undo_mojibake(text) == text and text.isprintable() is not None
    ]
    restored: dict[str, list[bool]] = {}
    failures = []
    for text in dict.fromkeys([*FABRICATED, *sound]):
        original = _comparable(text)
        for way, broken in plant(original).items():
            repaired = repair(broken)[0]
            right = _comparable(repaired) == _comparable(repair(original)[0])
            right = right and not repair_defect(broken, repaired)
            restored.setdefault(way, []).append(right)
            if not right:
                failures.append((way, original, repaired))
    figures = {
        way: {"planted": len(each), "restored": sum(each) / len(each)}
        for way, each in restored.items()
    }
    return {
        "planted": sum(map(len, restored.values())),
        "planted_not_restored": len(failures),
        "ways": figures,
        "failures": failures,
    }


def _comparable(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def main() -> None:
    """Judge and print."""
    arguments = parser(__doc__, learns=False)
    arguments.add_argument("--data", type=Path, required=True, help="a sheet, or a folder")
    given = arguments.parse_args()
    rows = read_rows(given.data)
    figures = judge_rows(rows)
    planted = judge_planted(rows)
    failures = planted.pop("failures")
    for way, original, got in failures[:10]:
        place = next((n for n, pair in enumerate(zip(original, got)) if len(set(pair)) > 1), 0)  # noqa: B905
        there = slice(max(0, place - 20), place + 20)
        print(f"not restored ({way}): {original[there]!r} came back as {got[there]!r}")
    figures |= planted
    figures["mojibake_left"] = figures["rows_with_mojibake_left"] + figures["planted_not_restored"]
    summary = (
        f"text_repair: {figures['rows']} rows: {figures['rows_losing_symbols']} lose symbols, "
        f"{figures['rows_quarantined']} quarantined, {figures['rows_refused']} refused, mojibake "
        f"left {figures['mojibake_left']} ({figures['planted_not_restored']} of "
        f"{figures['planted']} planted)"
    )
    finish(figures, summary, given.json)


if __name__ == "__main__":
    run(main)
