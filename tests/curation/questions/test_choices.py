import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from kd_kedro.curation.questions.answer_key import Choice, match_answer
from kd_kedro.curation.questions.choices import parse_choice
from kd_kedro.curation.questions.open_question import (
    is_open_question,
    open_answer,
    open_stem,
    option_text,
)
from kd_kedro.curation.repair.text_repair import repair
from kd_kedro.datasets.qa_sheet import QASheetDataset

# Which option each lettered row of the real sheet means, read by a person; "-": none of them.
DATA = Path(__file__).parents[2] / "data"

STEM = "Which of the following is a current asset?"
CRLF = "\r\n"
OPTIONS = ("Goodwill", "Trade debtors", "Share capital", "Plant")


def _listed(labels: Sequence[str], mark: str, between: str) -> str:
    return between.join(
        mark.format(label) + option for label, option in zip(labels, OPTIONS, strict=True)
    )


ROMANS = ("i", "ii", "iii", "iv")
STYLES = {
    "(a)": (f"{STEM} {_listed('abcd', '({}) ', ' ')}", "(b)"),
    "A.": (f"{STEM}\n{_listed('ABCD', '{}. ', CRLF)}", "B"),
    "i)": (f"{STEM}\n{_listed(ROMANS, '{}) ', CRLF)}", "ii"),
    "1.": (f"{STEM}\n{_listed('1234', '{}. ', CRLF)}", "2."),
    "two lines": (f"{STEM}\n(a) Goodwill (b) Trade debtors\n(c) Share capital (d) Plant", "b)"),
    "no bracket": (f"{STEM}\na) Goodwill\n (b) Trade debtors\n (c) Share capital\n(d) Plant", "b"),
    "own lines": ("\n".join((STEM, *OPTIONS)), "B"),
    "semicolons": (f"{STEM} {'; '.join(OPTIONS)}", "B"),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("form", ["label", "text", "both", "sentence"])
def test_every_style_and_form_of_answer(style: str, form: str) -> None:
    question, label = STYLES[style]
    answer = {
        "label": label,
        "text": "Trade debtors.",
        "both": f"({label.strip('().')[-2:].strip().lower()}) Trade debtors",
        "sentence": "The answer is Trade debtors.",
    }[form]
    choice = parse_choice(question, answer)
    assert choice is not None
    assert choice.options == OPTIONS
    match = match_answer(choice, answer)
    assert match is not None
    assert match.index == 1
    assert open_stem(choice) == "What is a current asset?"
    assert open_answer(choice, match, answer) == "Trade debtors"


@pytest.mark.parametrize(
    "question",
    [
        "What is a balance sheet and what does it show?",
        "In a ratio m:n::p:q, which of 'm' and 'q' is the larger?",
        "Explain (a) cost and its use.",
        "In Step A: buy. In Step B: sell. In Step C: pay. Why?",
        "What did J. A. Smith and B. Jones say about A. Marshall?",
        "Pay 1.5 now, 2.5 later and 3.5 at last: what is the total?",
    ],
)
def test_no_options(question: str) -> None:
    assert parse_choice(question, "An answer.") is None


def _choice(*options: str, stem: str = "Which is right?") -> Choice:
    choice = parse_choice(
        stem
        + "".join(f"\n({label}) {option}" for label, option in zip("abcd", options, strict=False))
    )
    assert choice is not None
    return choice


@pytest.mark.parametrize(
    ("options", "answer", "chosen"),
    [
        (("cost", "fixed cost", "price"), "Rent is a fixed cost of the firm.", 1),
        (("10", "120", "12"), "It is 12 in all.", 2),
        (("-3", "3", "5"), "3", 1),
        (("demand", "supply", "prices"), "Price is the means of allocation.", 2),
        (
            ("Fiscal policy", "Trade", "Monetary policy", "(a) & (c)"),
            "Fiscal policy and monetary policy",
            3,
        ),
        (("Cats", "Dogs", "All of the above"), "Cats and dogs.", 2),
        (("Cats", "Dogs", "Both a and b"), "(c)", 2),
    ],
)
def test_text_decides(options: tuple[str, ...], answer: str, chosen: int) -> None:
    match = match_answer(_choice(*options), answer)
    assert match is not None
    assert match.index == chosen


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (("red", "green", "blue"), "Economics."),
        (("red", "green", "blue"), "(a) green"),  # label and text disagree
        (("red", "green", "blue"), "red or green, who knows"),
        (
            ("Taxes do not influence supply", "Prices fall", "Costs rise"),
            "Taxes do influence the supply.",
        ),
    ],
)
def test_abstains(options: tuple[str, ...], answer: str) -> None:
    assert match_answer(_choice(*options), answer) is None


def test_a_bare_number_that_is_a_label_and_another_text_is_not_decided() -> None:
    choice = parse_choice("How many?\n1. 4\n2. 3\n3. 2\n4. 1")
    assert choice is not None
    assert match_answer(choice, "2") is None
    match = match_answer(choice, "(2)")
    assert match is not None
    assert match.index == 1


def test_facts_in_the_stem_are_not_the_options() -> None:
    choice = parse_choice(
        "Which hold?\nI. GATT\nII. IMF\nIII. Bank\n(a) I only\n(b) II only\n(c) I and II\n(d) III"
    )
    assert choice is not None
    assert choice.options == ("I only", "II only", "I and II", "III")


@pytest.mark.parametrize(
    ("question", "options"),
    [
        # The stem's own numbers, initials and facts are no labels.
        ("It was paid on May 1. Who paid?\n1. He\n2. She\n3. They", ("He", "She", "They")),
        ("It was paid on May 1. Who paid? 1. He 2. She 3. They", ("He", "She", "They")),
        ("How hot? A. 55° C. B. 58° C. C. 56° C.", ("55° C.", "58° C.", "56° C.")),
        ("Who? A. Ann B. B. F. Hall C. Carl", ("Ann", "B. F. Hall", "Carl")),
        (
            "Why? i) Cold ii) Heat iii) All of (a), (b) and (c)",
            ("Cold", "Heat", "All of (a), (b) and (c)"),
        ),
        ("Step 1: Buy. Step 2: Sell. Step 3: Pay. Then? (a) Rest (b) Work", ("Rest", "Work")),
        # Forms of labels.
        ("Which?\nOption A: Red\nOption B: Green\nOption C: Blue", ("Red", "Green", "Blue")),
        ("Which?\nA - Red\nB - Green\nC - Blue", ("Red", "Green", "Blue")),
        ("Which?\n[a] Red\n[b] Green\n[c] Blue", ("Red", "Green", "Blue")),
        ("Which?\n((a)) Red\n((b)) Green\n((c)) Blue", ("Red", "Green", "Blue")),
        ("Which?(a) Red (b)Green (c) Blue", ("Red", "Green", "Blue")),
        ("Which?\n(b) Green\n(a) Red\n(c) Blue", ("Green", "Red", "Blue")),
        ("Which? A: Red; B: Green; C: Blue", ("Red;", "Green;", "Blue")),
        ("Which? A: Red B: Green C: Blue", ("Red", "Green", "Blue")),
        ("Which?\n- A) Red\n- B) Green", ("Red", "Green")),
        ("Which?\n• A. Red\n• B. Green\n• C. Blue", ("Red", "Green", "Blue")),
        # One sentence: its mark and its "or" belong to no option.
        ("Which is paid, a) rent, b) wages, or c) tax?", ("rent,", "wages,", "tax")),
        ("Which: (a) rent (b) wages or (c) tax?", ("rent", "wages", "tax")),
        ("Who pays, (a) the buyer or (b) the seller ?", ("the buyer", "the seller")),
        ("Who said: a) Why?; b) How?; c) Who?", ("Why?;", "How?;", "Who?")),
        ("Which is a link? a) but; b) and; c) or", ("but;", "and;", "or")),
        ("Which? (a) one AND (b) two OR (c) none", ("one AND", "two OR", "none")),
        ("Which? (a) take and (b) give or (c) keep", ("take and", "give", "keep")),
        ("Which?\n(a) bitwise or\n(b) bitwise and\n(c) not", ("bitwise or", "bitwise and", "not")),
        # A "?" that is content.
        ("None or one is written\nA) *\nB) +\nC) ?", ("*", "+", "?")),
        ("None or one is written A) * B) + C) ?", ("*", "+", "?")),
        ("A digit or none is written A) \\d* B) \\d+ C) \\d?", ("\\d*", "\\d+", "\\d?")),
        ("Both spellings fit\nA) colou*\nB) colour\nC) colou?", ("colou*", "colour", "colou?")),
        ("Both fit A) colou* B) colour C) colou?", ("colou*", "colour", "colou?")),
        ("It may be null: A) int B) Nullable C) int?", ("int", "Nullable", "int?")),
    ],
)
def test_labels(question: str, options: tuple[str, ...]) -> None:
    choice = parse_choice(question)
    assert choice is not None
    assert choice.options == options


@pytest.mark.parametrize(
    ("question", "stem", "options"),
    [
        (
            "Read it.\nA) Cash\nB) Loan\nC) Land\nWhich is owed?",
            "Read it.\nWhich is owed?",
            ("Cash", "Loan", "Land"),
        ),
        (
            "Types:\na. real\nb. own\nc. other\n\nRent is which?",
            "Types:\nRent is which?",
            ("real", "own", "other"),
        ),
        (
            "Types:\n1. real\n2. own\n3. other\nof any kind\nIt rains. What\nis it?",
            "Types:\nIt rains. What\nis it?",
            ("real", "own", "other of any kind"),
        ),
        ("A) Cash\nB) Loan\nC) Land\nWhich is owed?", "Which is owed?", ("Cash", "Loan", "Land")),
        ("Read. A) Cash B) Land. Which is owed?", "Read.\nWhich is owed?", ("Cash", "Land.")),
        ("Read.\nA) Cash\nB) Land\nPick the debt.", "Read.\nPick the debt.", ("Cash", "Land")),
        # The last option's own lines, and options that ask.
        ("Which?\nA) Cash\nB) Land\nPick it.", "Which?", ("Cash", "Land Pick it.")),
        ("Who said:\nA) Why?\nB) No.\nHow?", "Who said:", ("Why?", "No. How?")),
        (
            "Read.\nA) one\nOf all\nB) two\nOf them\nWhich?",
            "Read.\nWhich?",
            ("one Of all", "two Of them"),
        ),
    ],
)
def test_a_question_behind_the_options(question: str, stem: str, options: tuple[str, ...]) -> None:
    choice = parse_choice(question)
    assert choice is not None
    assert (choice.stem, choice.options) == (stem, options)


@pytest.mark.parametrize(
    "answer",
    [
        "It is A, since cash is liquid.",
        "The answer is A because cash is not land.",
        "I think A because cash is liquid.",
        "(A) since cash is liquid.",
        "Option A is right: cash.",
        "A, cash is liquid.",
        "Cash (A)",
    ],
)
def test_a_label_in_a_sentence_is_not_left_without_its_options(answer: str) -> None:
    assert match_answer(_choice("Cash", "Loan", "Land"), answer) is None


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("Cash, since it is liquid.", 0),
        ("A loan, because it is owed.", 1),
        ("It is a loan, as it is owed.", 1),
        ("A: Cash, because it is liquid.", 0),
    ],
)
def test_a_reason_without_a_label_in_it_stays(answer: str, chosen: int) -> None:
    match = match_answer(_choice("Cash", "Loan", "Land"), answer)
    assert match is not None
    assert match.index == chosen


def test_labels_out_of_order_keep_their_options() -> None:
    choice = parse_choice("Which?\n(b) Green\n(a) Red\n(c) Blue")
    assert choice is not None
    match = match_answer(choice, "b")
    assert match is not None
    assert choice.options[match.index] == "Green"


@pytest.mark.parametrize(
    ("options", "answer", "chosen"),
    [(("1", "-1", "0"), "(b) -1", 1), (("p ∨ q", "p • q", "p ⊃ q"), "p • q", 1)],
)
def test_signs_tell_options_apart(options: tuple[str, ...], answer: str, chosen: int) -> None:
    match = match_answer(_choice(*options), answer)
    assert match is not None
    assert match.index == chosen


def test_the_sheets_lettered_rows_are_right(shared_data: Path) -> None:
    sheet = shared_data / "accounting_qa" / "input_qa.csv"
    table = QASheetDataset(str(sheet), {"question": "Question", "answer": "Answer"}).load()
    rows = {row["line"]: row for row in table.to_dict("records")}
    right = []
    for line, letter in csv.reader((DATA / "accounting_choices.csv").open()):
        if line == "line":
            continue
        question, answer = (repair(rows[line][column])[0] for column in ("question", "answer"))
        choice = parse_choice(question, answer)
        match = match_answer(choice, answer) if choice else None
        if choice and match and "\ufffd" not in question:
            right.append(choice.labels[match.index] == letter)
    assert len(right) >= 80
    assert sum(right) >= 0.98 * len(right)


def test_a_question_answered_by_none_of_them_keeps_its_options() -> None:
    choice = _choice("Cats", "Dogs", "None of the options given are correct", stem="What purrs?")
    assert open_stem(choice, 2) == (
        "What purrs: Cats; Dogs; None of the options given are correct?"
    )
    assert open_stem(choice, 0) == "What purrs?"


def test_lines_of_code_below_a_label_stay_as_they_are_to_each_other() -> None:
    code = "if x:\n    y();\n    z();"
    options = "".join(
        f"\n{label})\n    {text}"
        for label, text in zip("AB", (code.replace("\n", "\n    "), "x"), strict=True)
    )
    choice = parse_choice(f"Which code is right?{options}")
    assert choice is not None
    match = match_answer(choice, "A")
    assert match is not None
    assert open_answer(choice, match, "A") == code


def test_semicolons_in_brackets_part_no_options() -> None:
    choice = parse_choice("Which ends?\na) while (1) { }\nb) while (0) { }\nc) for (;;) { }", "b")
    assert choice is not None
    assert choice.options == ("while (1) { }", "while (0) { }", "for (;;) { }")


def test_a_reference_is_spelt_out() -> None:
    choice = _choice("Cats", "Dogs", "Both a and b")
    match = match_answer(choice, "c")
    assert match is not None
    assert open_answer(choice, match, "c") == "Cats and Dogs"
    assert open_answer(choice, match, "(a) Cats & (b) Dogs") == "Cats and Dogs"


@pytest.mark.parametrize(
    ("stem", "opened"),
    [
        (
            "Which one of the following is not a duty of an auditor?",
            "What is not a duty of an auditor?",
        ),
        ("With which of the following is cost related?", "With what is cost related?"),
        (
            "Which of the following statements is correct?",
            "Which of these statements is correct: x; y?",
        ),
        ("Choose the correct statement:", "Which of these is the correct statement: x; y?"),
        ("What is cost? Options:", "What is cost?"),
        ("Which of the following songs was a hit?", "Which song was a hit?"),
        ("Which of the following reasons is/are good?", "Which reasons is/are good?"),
        ("Which system has a base of 16", "Which system has a base of 16?"),
        ("Which number is", "Which number is"),
    ],
)
def test_open_stem(stem: str, opened: str) -> None:
    assert open_stem(_choice("x", "y", stem=stem)) == opened


def test_a_question_with_its_options_in_one_sentence() -> None:
    choice = parse_choice("Which of these is an asset: a) rent; b) cash; or c) wages?", "c")
    assert choice is not None
    texts = [option_text(choice, index) for index in range(3)]
    assert (open_stem(choice, 2), texts) == ("What is an asset?", ["rent", "cash", "wages"])


@pytest.mark.parametrize(
    ("stem", "asks"),
    [
        ("What is cost?", True),
        ("Net sales are 500. Find the ratio.", True),
        ("In a mixed economy:", False),
        ("What is shown?\n| a |", True),
        ("What is wrong? He paid late. She did not.", True),
    ],
)
def test_a_stem_that_breaks_off(stem: str, asks: bool) -> None:
    assert is_open_question(stem) is asks


def test_no_symbol_is_lost_and_labels_are_read_on_real_questions(shared_data: Path) -> None:
    rows = list(csv.reader((shared_data / "mmlu/dev").glob("*.csv").__next__().open()))
    for question, *options, right in rows:
        listed = "\n".join(f"{label}. {text}" for label, text in zip("ABCD", options, strict=True))
        choice = parse_choice(f"{question}\n{listed}")
        assert choice is not None
        match = match_answer(choice, right)
        assert match is not None
        assert match.index == "ABCD".index(right)


def test_a_very_long_passage_is_no_multiple_choice() -> None:
    assert parse_choice("Which one is it? " + "it is paid. then; " * 50_000, "Yes") is None
