import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.repair.repair_config import RepairConfig
from kd_kedro.curation.repair.text_repair import (
    lost_symbols,
    repair,
    repair_defect,
    repair_text,
)


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("â‚¹ 2,25,000", "₹ 2,25,000"),
        ("a â€œfirst in, first outâ€\x9d basis", "a “first in, first out” basis"),
        ("the companyâ€™s health", "the company’s health"),
        ("raised to ` 200/- per day", "raised to ₹ 200/- per day"),
        ("net\u200bprofit\u00ad and\u00a0loss", "netprofit and loss"),
        ("cafe\u0301", "café"),
        ("TC &lt; TR", "TC < TR"),
        ("4Ï€ × 10^-4", "4π × 10^-4"),
        ("a fine of ‚Çπ 500", "a fine of ₹ 500"),
        ("3 √ó 4 √∑ 2", "3 × 4 ÷ 2"),
        ("  \n one  two \n", "one  two"),
        ("1\u00a0000 ﬁnal　ﬂows", "1 000 final flows"),
        ("１２３ of ＡＢ", "123 of AB"),
        ("P&amp;L of R&#38;D, 3 &lt; 4", "P&L of R&D, 3 < 4"),
        ("a\x0bb\x0cc\u2028d\x00e\x1b[31mf", "a\nb\nc\nde f".replace(" ", "")),
    ],
)
def test_repairs(broken: str, whole: str) -> None:
    assert repair_text(broken) == whole
    assert not lost_symbols(broken, whole)


@pytest.mark.parametrize(
    "text",
    [
        "(240 / 2) - 80 = 40",
        "50% of ₹ 1,000 or €3.50, ½ of 10⁻³",
        "ᵏPₛ ÷ s! = ⁽ᵏ⁺²⁾P₍ₛ₋₁₎ − ⁽ᵏ⁻¹⁾Pₛ",
        "x ≤ y ± 2, Σx² × √9 ÷ π",
        "run `5` and `6` as code",
        "don’t “uncurl”",
        "√π and √2, a √∑x² of CAFÉ’S",
        "क\u200dष",
        "def double(x):\n    if x is None:\n        return 0\n    return 2 * x",
        "    x = 1\n    y = 2",
        "all:\n\techo  hi",
        "- one\n  - two\n\n\n\n- three  \nnext",
        "the series `24' in America",
        "the `80/20' rule, `5 of 6' cases",
        "``24 hours'' and `so'",
        "Replace `&` by `&amp;`, `<` by `&lt;`",
        "&ldquo;smart quotes&rdquo;",
        "&lt;br&gt; breaks a line",
        "<p>3 &lt; 4</p>",
        "« Quel\u00a0? »",
        "「１２」は　ＡＢ",
        "שלום \u200f(a)\u200e",
        "ไทย\u200bไทย",
        "\u0958",
    ],
)
def test_leaves_whole_text_as_it_is(text: str) -> None:
    assert repair_text(text) == text


def test_line_breaks_become_the_same_and_their_lines_stay() -> None:
    assert repair_text("Which?\r\n (a) one \r(b) two") == "Which?\n (a) one \n(b) two"


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("mojibake", "â‚¹ 5"),
        ("html_entities", "3 &lt; 4"),
        ("control_characters", "a\u200bb"),
        ("unicode_forms", "ﬁnal"),
        ("edge_spaces", " a "),
    ],
)
def test_each_repair_is_named_and_can_be_turned_off(name: str, broken: str) -> None:
    repaired, made = repair(broken)
    assert repaired != broken
    assert made == [name]
    assert repair(broken, RepairConfig(**{name: False})) == (broken, [])


def test_a_lost_operator_is_named() -> None:
    assert lost_symbols("(240 / 2) - 80 = 40", "(240 2) - 80 40") == ["/", "="]


def test_what_cannot_be_repaired_is_said() -> None:
    assert "U+FFFD" in repair_defect("the firm\ufffds cost", "the firm\ufffds cost")
    assert repair_defect("5 % of 10", "5 of 10") == "repair would lose %"
    assert repair_defect("sound", "sound") == ""


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_repair_is_stable(text: str) -> None:
    once = repair_text(text)
    assert repair_text(once) == once


@given(
    st.lists(
        st.sampled_from(["₹", "$", "€", "%", "+", "-", "=", "<", ">", "12,500", "3.5", "½", "x"]),
        min_size=1,
        max_size=12,
    )
)
def test_numbers_operators_and_currency_survive_mojibake(parts: list[str]) -> None:
    whole = " ".join(parts)
    broken = whole.encode("utf-8").decode("cp1252", "replace")
    if "\ufffd" not in broken:
        repaired = repair_text(broken)
        assert not lost_symbols(broken, repaired)
        assert sorted(repaired) == sorted(whole)
