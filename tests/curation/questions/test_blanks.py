import pytest

from kd_kedro.curation.questions.blanks import (
    canonical_blanks,
    count_blanks,
    is_question,
    lost_words,
    question_defect,
)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("The rate of the ____ loan is _____.", "The rate of the ____ loan is ____."),
        ("Mona Lisa is_____.", "Mona Lisa is ____."),
        ("a _______of such", "a ____ of such"),
        ("paid as [blank] of (blank)", "paid as ____ of ____"),
        ("goods are ...... now", "goods are ____ now"),
        ("Debit …… account", "Debit ____ account"),
        ("profit --- loss", "profit ____ loss"),
        ("the _ _ _ account", "the ____ account"),
        ("the (_) account _.", "the ____ account ____."),
        (r"the \_\_\_ account", "the ____ account"),
        ("the ( ) account, the [ ] book", "the ____ account, the ____ book"),
        ("This is known as ...", "This is known as ____"),
        ("... is a cost", "____ is a cost"),
        (".... is a cost", "____ is a cost"),
        ("Sales, ...., are costs", "Sales, ____, are costs"),
        ("goods are ––– now", "goods are ____ now"),
        ("Fill in the blank: ____ is cash.", "____ is cash."),
        ("资产＝负债＋（　）。", "资产＝负债＋____。"),
        ("首都是＿＿＿。", "首都是 ____。"),
        ("Столица ... Москва", "Столица ____ Москва"),
        ("Run `x = ____(3)`", "Run `x = ____(3)`"),
    ],
)
def test_every_form_is_written_the_same(text: str, written: str) -> None:
    assert canonical_blanks(text)[0] == written


@pytest.mark.parametrize(
    "text",
    [
        "What does __init__ do?",
        "Call foo__bar(x).",
        "What is the next term: 5, 10, 15, ...?",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "He said so.... Then what happened?",
        "An absurdity---because it was.",
        "A dash - and -- two.",
        "Call main( ) with 1, 2, ..., n.",
        "Use print(...) for it.",
        "Apply this:\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b",
        "for _ in range(3): pass",
        "Write `_` or `f( )` there.",
        "```python\n_ = f()\n```",
        "_, rest = pair",
        "Does x = [ ] make a list?",
        "Can print(_) show it?",
        "Read if (x) { ... } in C.",
        "for n, _ in enumerate(x): pass",
        "for _, v := range x",
        "Is (_) => 1 a function, and _ -> 1?",
        "Call _.map(x) of lodash",
        "sorted(x, key=lambda _: 1)",
        "- [ ] open\n- [x] done",
        "首都是…。它很大…。这是什么？",
        "It is a rule of the ... guild. " + "It was so then. " * 20,
    ],
)
def test_what_only_looks_like_a_blank(text: str) -> None:
    assert count_blanks(text) == 0


@pytest.mark.parametrize(
    ("question", "defect"),
    [
        ("Was ist die Hauptstadt?", ""),
        ("What is die Hauptstadt?", "another language: English words in German: what"),
    ],
)
def test_a_question_stays_in_the_language_of_its_statement(question: str, defect: str) -> None:
    assert question_defect("____ ist die Hauptstadt.", question) == defect


def test_lost_words_are_named_and_inflection_is_none() -> None:
    assert (
        lost_words("Descartes declares that he is ____.", "What does Descartes declare he is?")
        == []
    )
    assert lost_words("Pay 500 within 30 days.", "Pay within 3 days?") == ["500", "30"]


@pytest.mark.parametrize(
    ("question", "defect"),
    [
        ("What is depreciation of assets?", ""),
        ("What is depreciation of assets.", "does not end in a question mark"),
        ("What is depreciation?", "lost the words assets"),
        ("What is depreciation of assets ____ ____?", "has 2 of 1 blanks"),
    ],
)
def test_question_defect(question: str, defect: str) -> None:
    assert question_defect("Depreciation of assets is ____.", question) == defect


def test_a_text_that_asks_already() -> None:
    assert is_question("Who wrote ____, and when?")
    assert not is_question("The capital of France is ____?")


def test_a_long_rule_takes_no_time() -> None:
    # Nested repetition took hours for a line of a few thousand dashes.
    assert count_blanks("What is cost?\n" + "-" * 20_000 + "x") == 0
    assert count_blanks("| a | b |\n| --- | :---: |\nWhat is it?") == 0
