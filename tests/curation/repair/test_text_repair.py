import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.repair.repair_config import RepairConfig
from kd_kedro.curation.repair.text_repair import (
    lost_symbols,
    repair,
    repair_defect,
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
        ("He said &quot;yes&quot;", 'He said "yes"'),
        ("(a) P&amp;L;\n(b) R&amp;D;", "(a) P&L;\n(b) R&D;"),
        ("Yes&nbsp;maybe &euro; 5 &le; 6", "Yes maybe € 5 ≤ 6"),
        ("Caf&eacute; &ndash; 5&deg;", "Café – 5°"),
        ("Salt &amp; pepper<br>and oil", "Salt & pepper<br>and oil"),
        ("A meal &amp; drink <b>expense</b>", "A meal & drink <b>expense</b>"),
        ("<ul><li>P&amp;L<li>R&amp;D</ul>", "<ul><li>P&L<li>R&D</ul>"),
        ("a\x0bb\x0cc\u2028d\x00e\x1b[31mf", "a\nb\nc\nde f".replace(" ", "")),
    ],
)
def test_repairs(broken: str, whole: str) -> None:
    assert repair(broken)[0] == whole
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
        "&lt;b&gt;P&amp;L&lt;/b&gt;",
        'See <a href="x">P&amp;L</a>',
        "<b>P</b>&amp;L where 3 < 4",
        "The <b>tag</b> and &amp;",
        "Use <br> to break &amp; part lines",
        "<br> breaks a line &amp; <p> starts another",
        "The euro sign &euro; 5",
        "To show it, write &euro;.",
        "y = x&int; z &amp; 1",
        "Q&A; P&amp;L &nbsp; x",
        "« Quel\u00a0? »",
        "「１２」は　ＡＢ",
        "שלום \u200f(a)\u200e",
        "ไทย\u200bไทย",
        "\u0958",
        "    return x\n\nThe line above ends it.",
        " context\n-old\n+new",
        "Write &amp;lt; where &lt; is to be shown.",
        "To show it, write &amp;.",
        "Values stand in &quot; always",
        "What does &nbsp; mean?",
        "a && b; x &lt;&lt; 2",
        'f() {\n\tprint("a &amp; b")\n}',
        "It costs ` 5 or \\$5",
        "ſtill ﬅ",
        "?a=1&copy=2&lt=3",
        "在HTML中，&lt; 表示小于号",
        "the `90s, the class of `08",
        "Letra Ã e letra Â",
        "می\u200cخواهم PDF\u200cها",
        "👩\u200d💻yes 🏳️\u200d🌈 1️⃣ ❤️ 葛\U000e0100",
        "ꦧꦱ\u200bꦗꦮ, ᬩᬲ\u200bᬩᬮᬶ",
        "\U0001e900\u200f(a)",
        "１２００円（税込）です！？",
        "１２３４５",
        "ㄅㄆ：（ｘ）",
        "Le prix est de 10\u00a0000\u202f€, soit 5\u00a0%",
        "10\u00a0000\u202f€",
        "mieszka w\u00a0domu i\u00a0nie ma psa",
        "“Ã©” is how é looks in UTF-8 read as Latin-1",
        "a zero-width space stands in a\u200bb",
        "U+FB01 is the ligature ﬁ",
        "x² of CO₂, ½, ™, № 5, ㎏, ①, 5 − 3, pp. 5–7, 3\u20114",
        "[ˈθɪŋk] /t͡ʃ/ ɹ̩, x̄ and p̂",
        "\u1112\u1161\u11ab か\u3099 Τι είναι\u037e",
        "„Deutsch“ ‚x‘ ‹x› 『本』 ”sv”",
        "Что такое Р’? ООО «Р», ГОСТ Р–С",
        "ما هذا؟ ۱۲۳۔ क्या है। ራስ።",
    ],
)
def test_leaves_whole_text_as_it_is(text: str) -> None:
    assert repair(text)[0] == text


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("Write it as &lt; there.", "How is < written in HTML?"),
        ("１２００", "価格はいくらですか"),
        ("12\u00a0000 Euro", "Wie hoch ist der Preis?"),
        ("ABC\u200f", "ما هو الاسم؟"),
        ("It is Ã©.", "How does é look in UTF-8 read as Latin-1?"),
    ],
)
def test_the_other_text_of_a_row_says_what_an_answer_is(answer: str, question: str) -> None:
    assert repair(answer, beside=question)[0] == answer
    assert repair(answer)[0] != answer or answer == "１２００"


def test_a_question_that_nobody_escaped_says_nothing_of_its_answer() -> None:
    assert repair("R&amp;D", beside="What is R&D?")[0] == "R&D"


@pytest.mark.parametrize("text", ["10\u2060000", "1\u200b000", "12\u00ad500"])
def test_what_has_no_width_parts_no_number(text: str) -> None:
    assert repair_defect(text, repair(text)[0]) == ""


def test_a_text_about_characters_may_show_the_replacement_character() -> None:
    text = "Unicode has \ufffd for what cannot be read."
    assert repair_defect(text, repair(text)[0]) == ""
    assert repair_defect("\ufffd", "\ufffd", beside=text) == ""
    assert repair_defect("\ufffd", "\ufffd", beside="It is U+FFFD.") == ""


def test_line_breaks_become_the_same_and_their_lines_stay() -> None:
    assert repair("Which?\r\n (a) one \r(b) two")[0] == "Which?\n (a) one \n(b) two"


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
    assert made == [(name, broken, repaired)]
    assert repair(broken, RepairConfig(**{name: False})) == (broken, [])


def test_a_lost_operator_is_named() -> None:
    assert lost_symbols("(240 / 2) - 80 = 40", "(240 2) - 80 40") == ["/", "="]


def test_what_cannot_be_repaired_is_said() -> None:
    assert "U+FFFD" in repair_defect("the firm\ufffds cost", "the firm\ufffds cost")
    assert repair_defect("5 % of 10", "5 of 10") == "repair would lose %"
    assert repair_defect("sound", "sound") == ""


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_repair_is_stable(text: str) -> None:
    once = repair(text)[0]
    assert repair(once)[0] == once


# Letters and marks of scripts that no repair has to do with, white space inside them included.
WHOLE = st.text(
    alphabet=st.one_of(
        st.characters(min_codepoint=0x900, max_codepoint=0xDFF, categories=["L", "M", "N", "P"]),
        st.characters(min_codepoint=0x3041, max_codepoint=0x30FF, categories=["L", "P"]),
        st.characters(min_codepoint=0x620, max_codepoint=0x6FF, categories=["L", "N", "P"]),
        st.sampled_from("\t\n  \u200c\u200d{}[]()_=;:#\\|,"),
    ),
    max_size=60,
)


@given(WHOLE)
def test_only_the_ends_of_other_scripts_may_change(text: str) -> None:
    whole = f"क{text}क"
    assert repair(whole) == (whole, [])


@given(st.text(alphabet="if x:\treturn\n   &|<>'\"`~-+#*_\\{}[]();=0", max_size=60))
def test_code_keeps_every_character_but_white_space_at_its_ends(code: str) -> None:
    repaired = repair(f"`x`\n{code}")[0]
    assert repaired == f"`x`\n{code}".rstrip()


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
        repaired = repair(broken)[0]
        assert not lost_symbols(broken, repaired)
        assert sorted(repaired) == sorted(whole)
