import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.repair.text_repair import lost_symbols, repair_defect, repair_text


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
        ("one  two\t three", "one two three"),
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
    ],
)
def test_leaves_whole_text_as_it_is(text: str) -> None:
    assert repair_text(text) == text


def test_keeps_the_lines_that_options_stand_on() -> None:
    assert repair_text("Which?\r\n (a) one \r\n(b) two") == "Which?\n(a) one\n(b) two"


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
