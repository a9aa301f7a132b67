"""Overlap of answers against the reference libraries and by hand, in every script."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import CHRF

from kd_kedro.metrics.scores.overlap import (
    ROUGE,
    chrf,
    chrf_signature,
    chrf_statistics,
    rouge,
    rouge_signature,
    token_f1,
    words,
)

any_text = st.text(max_size=60)
close_texts = st.text("ab é नि5,.₹-", max_size=30)
pairs = st.lists(st.tuples(any_text, any_text) | st.tuples(close_texts, close_texts), max_size=6)
ascii_text = st.text(st.characters(max_codepoint=127), max_size=60) | st.text(
    "ab c_1.", max_size=30
)


@given(pairs.filter(bool))
def test_chrf_from_sums_is_sacrebleus(rows: list[tuple[str, str]]) -> None:
    predictions, references = [a for a, _ in rows], [b for _, b in rows]
    expected = CHRF().corpus_score(predictions, [references]).score
    sums = chrf_statistics(predictions, references).sum(axis=0)
    assert float(chrf(sums)) == pytest.approx(expected, abs=1e-9)


def test_chrf_of_many_sums_at_once() -> None:
    statistics = chrf_statistics(["cash book", "", "x"], ["cash book", "bank", ""])
    assert list(chrf(statistics)) == [pytest.approx(100), 0, 0]
    assert chrf_statistics([], []).shape == (0, 18)


def test_chrf_says_how_it_was_computed() -> None:
    assert chrf_signature().startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")


@settings(deadline=None)  # the first call reads all of Unicode
@given(ascii_text, ascii_text)
def test_rouge_of_ascii_is_the_librarys(prediction: str, reference: str) -> None:
    expected = RougeScorer(list(ROUGE)).score(reference, prediction)
    found = rouge([prediction], [reference])[0]
    assert list(found) == [expected[name].fmeasure for name in ROUGE]


@given(any_text, any_text)
def test_rouge_of_any_text_is_the_librarys_over_our_words(prediction: str, reference: str) -> None:
    # Words as a to z alone, so that the library's own tokenizer can read them.
    names: dict[str, str] = {}
    spelt = [
        " ".join(
            names.setdefault(word, "".join(chr(97 + int(digit)) for digit in str(len(names))))
            for word in words(text)
        )
        for text in (prediction, reference)
    ]
    expected = RougeScorer(list(ROUGE)).score(spelt[1], spelt[0])
    found = rouge([prediction], [reference])[0]
    assert list(found) == [expected[name].fmeasure for name in ROUGE]


def test_rouge_by_hand() -> None:
    # Shared: the, cash; no pair; in order "the cash" (2 of 3 and 4 words).
    found = rouge(["the new cash"], ["The book, the cash."])[0]
    assert found == pytest.approx([2 * 2 / 7, 2 * 0 / 5, 2 * 2 / 7])
    assert rouge(["the cash"], ["the cash book"])[0] == pytest.approx([0.8, 2 / 3, 0.8])


def test_rouge_reads_scripts_that_the_library_drops() -> None:
    answers = ["बैंक में नकद जमा किया", "دفتر النقدية", "银行存款", "Café Zürich"]
    for answer in answers:
        assert rouge([answer], [answer])[0][0] == 1
    assert set(RougeScorer(["rouge1"]).score(answers[0], answers[0])["rouge1"]) == {0}
    assert rouge(["银行存款"], ["银行借款"])[0][0] == pytest.approx(0.75)
    assert rouge_signature("rougeL").startswith("rouge_score|rougeL|F|")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Debit Cash_book 12,500.", ["debit", "cash", "book", "12", "500"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("CAFE\u0301 café", ["café", "café"]),
        ("资产 ok 한국어", ["资", "产", "ok", "한국어"]),
        ("₹ — ½", ["½"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("Debit Cash 12,500", "debit cash 12,500.", 1),
        ("debit cash", "debit the cash book", 2 * 2 / 6),
        ("cash cash cash", "cash", 2 * 1 / 4),
        ("12,500", "12,050", 0),
        ("-5", "5", 0),
        ("−5", "-5", 1),
        ("50 %", "50", 2 * 1 / 3),
        ("₹500", "$500", 0.5),
        ("(240 / 2) - 80 = 40", "(240 / 2) + 80 = 40", 2 * 6 / 14),
        ("well-known", "well known", 1),
        ("资产", "资金", 0.5),
        ("", "", 1),
        ("", "cash", 0),
        ("!?", "?", 1),
        ("[", "(", 0),
    ],
)
def test_token_f1_by_hand(prediction: str, reference: str, expected: float) -> None:
    assert token_f1(prediction, reference) == pytest.approx(expected)


@given(any_text, any_text)
def test_overlap_lies_in_its_range_and_is_greatest_for_the_same_text(one: str, two: str) -> None:
    f1 = token_f1(one, two)
    assert 0 <= f1 <= 1
    assert f1 == token_f1(two, one)
    assert token_f1(one, one) == 1
    scores = np.concatenate([rouge([one], [two])[0], chrf(chrf_statistics([one], [two])) / 100])
    assert (scores >= 0).all()
    assert (scores <= 1 + 1e-12).all()
    assert rouge([one], [one])[0][0] == bool(words(one))
    assert float(chrf(chrf_statistics([one], [one]))[0]) == pytest.approx(
        100 * bool("".join(one.split()))
    )
