"""Answers that are graded exactly are right, worked out again from the question alone."""

import re
from collections.abc import Callable

import pytest

RATIOS = {"current ratio": ":1", "debt-equity ratio": ":1", "stock turnover": " times"}
# What each template asks, over the numbers of its question in their order.
RULES: dict[str, Callable[..., float]] = {
    **dict.fromkeys((*RATIOS, "earnings per share"), lambda a, b: a / b),
    "quick ratio": lambda a, b, c: (a - b) / c,
    **dict.fromkeys(
        ("gross profit ratio", "net profit ratio", "return on investment"),
        lambda part, whole: 100 * part / whole,
    ),
    **dict.fromkeys(
        ("working capital", "owner's capital", "gross profit", "net profit", "margin of safety"),
        lambda a, b: a - b,
    ),
    **dict.fromkeys(("pass book balance", "total assets"), lambda a, b: a + b),
    "cost of goods sold": lambda opening, bought, closing: opening + bought - closing,
    "straight-line depreciation": lambda cost, scrap, years: (cost - scrap) / years,
    **dict.fromkeys(
        (
            "written down value",
            "simple interest",
            "trade discount",
            "tax on a sale",
            "provision for doubtful debts",
            "consignee's commission",
        ),
        lambda base, percent: base * percent / 100,
    ),
    "partner's share": lambda profit, mine, other: profit * mine / (mine + other),
    "break-even point": lambda fixed, price, variable: fixed / (price - variable),
}


def numbers(text: str) -> list[float]:
    return [float(each.replace(",", "")) for each in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]


@pytest.fixture(scope="module")
def graded(records):
    """Gradable rows whose cells stand as they were written."""
    plain = records[(records["gradable"] == "yes") & (records["question"] != "")]
    return plain[~plain["defects"].str.contains("mcq|fitb|unicode|mojibake")]


def test_between_45_and_55_percent_of_the_sound_rows_are_gradable(records):
    gone = (
        "reviewer_reject|off_topic|exact_duplicate|near_duplicate|contradictory|comma_break"
        "|unrepairable"
    )
    sound = records[~records["defects"].str.contains(gone)]
    assert 4600 <= len(sound) <= 5200
    assert 0.45 <= (sound["gradable"] == "yes").mean() <= 0.55


def test_computations_are_right(graded):
    rows = graded[graded["template"].str.startswith("computation: ")]
    assert {name.split(": ")[1] for name in rows["template"]} == set(RULES)
    for row in rows.itertuples():
        expected = RULES[row.template.split(": ")[1]](*numbers(row.question))
        assert numbers(row.answer)[0] == pytest.approx(expected), (row.question, row.answer)


def test_formulas_hold(graded):
    rows = graded[graded["template"].str.startswith("formula: ")]
    assert len(rows) > 100
    for row in rows.itertuples():
        left, right = row.answer.split(" = ")
        signs = {
            "×": "*",
            "÷": "/",
            "−": "-",
            "½": "0.5",
            "⁻¹": "**-1",
            "⁻²": "**-2",
            ",": "",
            "%": "/100",
            "₹": "",
            "€": "",
            "$": "",
            "£": "",
        }
        for sign, code in signs.items():
            left = left.replace(sign, code)
        assert re.fullmatch(r"[\d+\-*/(). ]+", left), row.answer
        assert eval(left) == pytest.approx(numbers(right)[0], abs=0.006), row.answer


def test_journal_entries_balance_and_carry_the_amount_of_the_question(graded):
    rows = graded[graded["template"].str.startswith("journal: ")]
    assert len(rows) > 1000
    for row in rows.itertuples():
        (amount,) = numbers(row.question)
        assert re.fullmatch(r"Debit .+; Credit .+\.", row.answer)
        assert numbers(row.answer) == [amount, amount], (row.question, row.answer)


@pytest.mark.parametrize(
    ("template", "debit", "credit"),
    [
        ("goods sold for cash", "Cash", "Sales"),
        ("drawings in cash", "Drawings", "Cash"),
        ("cash banked", "Bank", "Cash"),
        ("cash withdrawn", "Cash", "Bank"),
        ("goods lost by fire", "Loss by Fire", "Purchases"),
        ("bank charges", "Bank Charges", "Bank"),
    ],
)
def test_accounts_of_a_transaction(graded, template, debit, credit):
    rows = graded[graded["template"] == f"journal: {template}"]
    assert rows["answer"].str.fullmatch(rf"Debit {debit} \S.*; Credit {credit} \S.*\.").all()
    assert len(rows) > 5


@pytest.mark.parametrize(
    ("phrase", "kind", "element", "balance"),
    [
        ("outstanding ", "Personal", "Liability", "Credit"),
        ("prepaid ", "Personal", "Asset", "Debit"),
        ("accrued ", "Personal", "Asset", "Debit"),
        (" received in advance", "Personal", "Liability", "Credit"),
        ("rent paid", "Nominal", "Expense", "Debit"),
        ("machinery", "Real", "Asset", "Debit"),
        ("(a customer)", "Personal", "Asset", "Debit"),
    ],
)
def test_classes_of_accounts(graded, phrase, kind, element, balance):
    rows = graded[graded["question"].str.contains(phrase, regex=False)]
    for template, answer in (
        ("kind of account", f"{kind} account."),
        ("element", f"{element}."),
        ("normal balance", f"{balance} balance."),
    ):
        answers = set(rows.loc[rows["template"] == f"class: {template}", "answer"])
        assert answers <= {answer}, (phrase, template)


def test_true_and_false_statements(graded):
    rows = graded[graded["template"] == "class: statement true or false"]
    for row in rows[rows["question"].str.contains("outstanding|prepaid")].itertuples():
        right = "personal account" in row.question
        denied = " is not " in row.question
        assert row.answer == ("True." if right != denied else "False.")
