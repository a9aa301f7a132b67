"""Fill-in-the-blank and multiple-choice conversion, judged on questions whose answers are known.

The data are questions in MMLU's form (CSV without header: question, four options, the letter of
the right one). Questions with a real `__` are turned into questions. Every question is written as
a sheet would have it, in six styles of options and three forms of answer, and read back. Where the
form of a style is open (options after a line break or a space, "B" or "(b)") every one is written;
a style counts the mean of its renderings, and the worst rendering is reported beside it.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from measuring import block_bootstrap, finish, parser, run
from sheets import read_records

from kd_kedro.curation.questions.answer_key import match_answer
from kd_kedro.curation.questions.blanks import canonical_blanks, is_question, question_defect
from kd_kedro.curation.questions.choices import parse_choice
from kd_kedro.curation.repair.text_repair import is_unrepairable, repair
from kd_kedro.datasets.qa_sheet import QASheetDataset
from kd_kedro.generation.protocol import Request
from kd_kedro.generation.rules.rule_generator import RulesGenerator
from kd_kedro.text.words import content_words

HAND_CHECKED = Path(__file__).parents[1] / "tests" / "data" / "accounting_choices.csv"
ROMANS = ("i", "ii", "iii", "iv", "v", "vi")


@dataclass(frozen=True)
class Item:
    """A question with its options and the place of the right one."""

    question: str
    options: tuple[str, ...]
    right: int


def read_items(folder: Path) -> list[Item]:
    """Return the questions of every CSV below a folder, each once.

    Raises:
        ValueError: There is no CSV or no row, or a row is not of MMLU's form.
    """
    paths = sorted(folder.rglob("*.csv"))
    if not paths:
        raise ValueError(f"{folder} has no CSV file: give a folder in MMLU's form")
    found: dict[Item, None] = {}
    for path in paths:
        for number, row in enumerate(read_records(path), start=1):
            if len(row) < 4 or row[-1].strip().upper() not in [*"ABCDEFGH"[: len(row) - 2]]:
                raise ValueError(
                    f"row {number} of {path} is not `question, options, letter`: give a "
                    "folder in MMLU's form, without header"
                )
            right = "ABCDEFGH".index(row[-1].strip().upper())
            found[Item(row[0], tuple(row[1:-1]), right)] = None
    if not found:
        raise ValueError(f"{folder} has no questions, its CSV files are empty: give MMLU's form")
    return list(found)


# --- Fill-in-the-blank -------------------------------------------------------------------------


def judge_blanks(items: Sequence[Item]) -> dict[str, Any]:
    """Return the shares of questions with a `__` that become questions, and by syntax."""
    statements = [item for item in items if "__" in item.question]
    generator = RulesGenerator()
    converted, by_syntax = [], []
    for item in statements:
        repaired = repair(item.question)[0]
        statement, blanks = canonical_blanks(repaired)
        asked, how = statement, "asks already"
        if blanks and not is_question(statement):
            # The answer tells the language of a short statement, as in the pipeline.
            context = {"answer": item.options[item.right]}
            outcome = generator.generate([Request("fitb", statement, context)])[0]
            asked, how = outcome.text, outcome.reason
        converted.append(
            bool(blanks)
            and asked.endswith("?")
            and not question_defect(statement, asked)
            and _keeps_words(repaired, asked)
        )
        by_syntax.append(how.startswith("syntax"))
    return {
        "rows": len(statements),
        **_share("converted", converted),
        **_share("by_syntax", by_syntax),
    }


def _keeps_words(text: str, question: str) -> bool:
    """Return whether no word longer than an inflection is missing, counted without the rules."""
    there = question.casefold()
    return all(
        word[: max(3, len(word) - 3)] in there
        for word in content_words(canonical_blanks(text)[0])
        if len(word) > 3 or word.isdigit()
    )


# --- Multiple choice ---------------------------------------------------------------------------

Labels = Sequence[str]


def _labelled(mark: str, labels: Labels, before: str, between: str) -> Callable[[Item], str]:
    def render(item: Item) -> str:
        listed = (mark.format(label) + text for label, text in zip(labels, item.options))  # noqa: B905
        return item.question + before + between.join(listed)

    return render


def _plain(before: str, between: str) -> Callable[[Item], str]:
    return lambda item: item.question + before + between.join(item.options)


# Style: its labels, its renderings.
STYLES: dict[str, tuple[Labels, dict[str, Callable[[Item], str]]]] = {
    name: (
        labels,
        {
            "lines": _labelled(mark, labels, "\n", "\n"),
            "space": _labelled(mark, labels, " ", " "),
            "line": _labelled(mark, labels, "\n", " "),
        },
    )
    for name, mark, labels in (
        ("(a)", "({}) ", "abcdefgh"),
        ("A.", "{}. ", "ABCDEFGH"),
        ("i)", "{}) ", ROMANS),
        ("1.", "{}. ", "12345678"),
    )
}
STYLES["own lines"] = ("ABCDEFGH", {"lines": _plain("\n", "\n"), "gap": _plain("\n\n", "\n")})
STYLES["semicolons"] = (
    "ABCDEFGH",
    {
        "line": _plain("\n", "; "),
        "space": _plain(" ", "; "),
        "colon": _plain(": ", "; "),
    },
)
FORMS: dict[str, tuple[Callable[[str, str], str], ...]] = {
    "label": (lambda label, _: label, lambda label, _: f"({label})"),
    "text": (lambda _, text: text,),
    "both": (
        lambda label, text: f"({label}) {text}",
        lambda label, text: f"{label}. {text}",
        lambda label, text: f"{label}) {text}",
    ),
}


def renderings() -> Iterator[tuple[str, Callable[[Item], tuple[str, str]]]]:
    """Yield `style/rendering/form/number` and what writes an item as question and answer."""
    for style, (labels, ways) in STYLES.items():
        for (way, write), (form, answers) in product(ways.items(), FORMS.items()):
            for number, say in enumerate(answers):
                yield (
                    f"{style}/{way}/{form}/{number}",
                    lambda item, write=write, say=say, labels=labels: (
                        write(item),
                        say(labels[item.right], item.options[item.right]),
                    ),
                )


def judge_choices(items: Sequence[Item]) -> dict[str, Any]:
    """Return the shares extracted and answered, and the share correct of those answered."""
    # Rows × renderings × (extracted, answered, correct).
    names = [name for name, _ in renderings()]
    judged = np.array(
        [[_judge(item, *write(item)) for _, write in renderings()] for item in items], dtype=float
    )
    weights = _weights(names)
    by_rendering = {
        name: {"extracted": e, "answered": a, "correct": _ratio(c, a)}
        for name, (e, a, c) in zip(names, judged.mean(axis=0).round(4).tolist(), strict=True)
    }
    weighted = np.einsum("irk,r->ik", judged, weights)

    def figures(rows: Any) -> tuple[float, float, float]:
        extracted, answered, correct = weighted[rows].mean(axis=0)
        return float(extracted), float(answered), _ratio(correct, answered)

    extracted, answered, correct = figures(slice(None))
    out: dict[str, Any] = {"rows": len(items)}
    for place, (key, value) in enumerate(
        (("extracted", extracted), ("answered", answered), ("correct", correct))
    ):
        out[key] = value
        out[f"{key}_interval"] = list(
            block_bootstrap(
                len(items), lambda rows, place=place: figures(rows)[place], block=20, samples=500
            )
        )
    for style in STYLES:
        mine = [n for n, name in enumerate(names) if name.startswith(f"{style}/")]
        e, a, c = np.einsum("irk,r->k", judged[:, mine], weights[mine]) / len(items)
        e, a, c = (float(v / weights[mine].sum()) for v in (e, a, c))
        out.setdefault("styles", {})[style] = {
            "extracted": e,
            "answered": a,
            "correct": _ratio(c, a),
        }
    out["worst_extracted"] = min(by_rendering.items(), key=lambda each: each[1]["extracted"])[0]
    out["renderings"] = by_rendering
    return out


def _ratio(some: float, of: float) -> float:
    return float(some / of) if of else float("nan")


def _judge(item: Item, question: str, answer: str) -> tuple[bool, bool, bool]:
    question, answer = _repaired(question), _repaired(answer)
    choice = parse_choice(question, answer)
    if choice is None:
        return False, False, False
    extracted = [_plain_text(each) for each in choice.options] == [
        _plain_text(each) for each in item.options
    ]
    match = match_answer(choice, answer)
    if match is None:
        return extracted, False, False
    chosen = _plain_text(choice.options[match.index])
    return extracted, True, chosen == _plain_text(item.options[item.right])


# A question is read once for each form of its answer.
_repaired = lru_cache(maxsize=256)(lambda text: repair(text)[0])


def _plain_text(text: str) -> str:
    return " ".join(_repaired(text).split()).rstrip(";")


def _weights(names: Sequence[str]) -> Any:
    """Each style weighs the same, in it each rendering, in that each form, in that each answer."""
    parts = [name.split("/") for name in names]
    weights = np.ones(len(names))
    for depth in range(4):
        for prefix in {tuple(part[:depth]) for part in parts}:
            below = [n for n, part in enumerate(parts) if tuple(part[:depth]) == prefix]
            children = len({parts[n][depth] for n in below})
            weights[below] /= children
    return weights


# --- The sheet's own lettered rows ---------------------------------------------------------------


def judge_lettered(sheet: Path, letters: Path = HAND_CHECKED) -> dict[str, Any]:
    """Return the share of hand-checked rows answered, and the share of those that is correct.

    A row whose options nobody can decide between (`-`) is wrong where one is chosen. The list
    names rows of one sheet by their lines, and says nothing of another sheet. So only lines whose
    row really has lettered options are counted, the listed letter among them; the others are
    `missing`. Of the listed lines that the sheet has, more than half must have options.

    Raises:
        ValueError: The list is of another sheet.
    """
    table = QASheetDataset(str(sheet), {"question": "Question", "answer": "Answer"}).load()
    rows = {int(row["line"]): row for row in table.to_dict("records")}
    with letters.open(encoding="utf-8", newline="") as lines:
        listed = {int(row["line"]): row["letter"] for row in csv.DictReader(lines)}
    there = [line for line in listed if line in rows]
    fitting = {line: listed[line] for line in there if _has_options(rows[line], listed[line])}
    if len(fitting) <= len(there) / 2:
        raise ValueError(
            f"{sheet} has lettered options on {len(fitting)} of the {len(listed)} lines of "
            f"{letters.name}: the hand-checked list is of the lent sheet; leave --sheet out"
        )
    answered, correct, wrong = [], [], []
    for line, letter in fitting.items():
        chosen = chosen_letter(rows[line]["question"], rows[line]["answer"])
        answered.append(chosen is not None)
        if chosen is not None:
            correct.append(chosen == letter)
            if chosen != letter:
                wrong.append(line)
    return {
        "rows": len(fitting),
        "missing": len(listed) - len(fitting),
        "decidable": sum(letter != "-" for letter in fitting.values()),
        **_share("answered", answered),
        **_share("correct", correct),
        "wrong_lines": wrong,
    }


# Marks of options, found without the code that is judged: "(a)", "B.", "iii)".
_MARK = re.compile(r"(?<![^\W_])([a-h]|[ivx]{1,4})\s?[).:]", re.IGNORECASE)


def _has_options(row: Mapping[Any, Any], letter: str) -> bool:
    """Return whether a question has the marks of two options and of the listed one."""
    marks = {mark.casefold() for mark in _MARK.findall(row["question"])}
    return ({"a", "b"} <= marks or {"i", "ii"} <= marks) and (letter == "-" or letter in marks)


def chosen_letter(question: str, answer: str) -> str | None:
    """Return the label of the option that the project chooses for a row, None where it abstains."""
    question, answer = repair(question)[0], repair(answer)[0]
    if is_unrepairable(question) or is_unrepairable(answer):
        return None
    choice = parse_choice(question, answer)
    match = match_answer(choice, answer) if choice else None
    return choice.labels[match.index] if choice and match else None


def _share(key: str, values: Sequence[bool]) -> dict[str, Any]:
    if not values:
        return {key: None}
    array = np.array(values, dtype=float)
    low, high = block_bootstrap(len(array), lambda rows: float(array[rows].mean()), block=20)
    return {key: float(array.mean()), f"{key}_interval": [low, high]}


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def main() -> None:
    """Judge and print."""
    arguments = parser(__doc__, learns=False)
    arguments.add_argument("--data", type=Path, required=True, help="a folder in MMLU's form")
    arguments.add_argument("--sheet", type=Path, help="the accounting sheet: its lettered rows")
    given = arguments.parse_args()
    items = read_items(given.data)
    lettered = judge_lettered(given.sheet) if given.sheet else None
    figures: dict[str, Any] = {"fitb": judge_blanks(items), "mcq": judge_choices(items)}
    blanks, choices = figures["fitb"], figures["mcq"]
    for style, each in choices["styles"].items():
        print(style, {key: round(value, 4) for key, value in each.items()})
    summary = (
        f"question_formats: fill-in {blanks['rows']} rows: converted "
        f"{_percent(blanks['converted'])}, "
        f"by syntax {_percent(blanks['by_syntax'])}; multiple choice {choices['rows']} rows: "
        f"extracted {choices['extracted']:.2%}, answered {choices['answered']:.2%}, correct "
        f"{choices['correct']:.2%}"
    )
    if lettered:
        figures["lettered"] = lettered
        summary += (
            f"; lettered {lettered['rows']} rows ({lettered['missing']} missing): answered "
            f"{_percent(lettered['answered'])}, correct {_percent(lettered['correct'])}"
        )
    finish(figures, summary, given.json)


if __name__ == "__main__":
    run(main)
