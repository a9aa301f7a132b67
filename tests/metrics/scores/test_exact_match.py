"""Scores of answers against reference implementations and by hand."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from kd_kedro.metrics.scores.exact_match import (
    bleu,
    bleu_signature,
    bleu_statistics,
    exact_match,
    gradable,
    log_perplexity,
    ratio,
)

_texts = st.lists(
    st.tuples(st.text("ab c,.1", max_size=20), st.text("ab c,.1", max_size=20)),
    min_size=1,
    max_size=6,
)


@given(_texts)
def test_bleu_from_sums_is_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    predictions, references = [a for a, _ in pairs], [b for _, b in pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = BLEU(force=True).corpus_score(predictions, [references]).score
    sums = bleu_statistics(predictions, references).sum(axis=0)
    assert float(bleu(sums)) == pytest.approx(expected, abs=1e-9)


def test_bleu_of_many_sums_at_once() -> None:
    one = bleu_statistics(["the cash book is a ledger"], ["the cash book is a journal"])[0]
    other = bleu_statistics(["no"], ["yes it is"])[0]
    both = bleu(np.stack([one, other]))
    assert both[0] == pytest.approx(float(bleu(one)))
    assert both[1] == 0


def test_bleu_says_how_it_was_computed() -> None:
    assert bleu_signature().startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")


def test_perplexity_is_the_exponential_of_nll_per_token() -> None:
    assert math.exp(float(log_perplexity(np.array([6.0, 3.0])))) == pytest.approx(math.e**2)


def test_ratio_of_nothing_is_zero() -> None:
    assert list(ratio(np.array([[0.0, 0.0], [1.0, 4.0]]))) == [0.0, 0.25]


@pytest.mark.parametrize(
    ("prediction", "reference", "same"),
    [
        ("Debit Cash 500; Credit Sales 500", "debit  cash 500; credit sales 500.", True),
        ("Outstanding expenses.", "outstanding expenses", True),
        ("12,500", "12,050", False),
        ("12,500", "12500", False),
        ("2.5 : 1", "2.5:1", False),
        ("-5", "5", False),
        ("50 %", "50", False),
        ("CAFÉ", "cafe\u0301", True),
        ("", "0", False),
    ],
)
def test_exact_match(prediction: str, reference: str, same: bool) -> None:
    assert exact_match(prediction, reference) is same


@pytest.mark.parametrize(
    "answer",
    [
        "Debit Purchases 12,500; Credit Cash 12,500",
        "Debit Cash A/c ₹5,000; Credit Sales A/c ₹5,000.",
        "Dr. Rent 400; Cr. Bank 400",
        "Cash A/c Dr. 5,000 To Capital A/c 5,000",
        "Debit Bank 300, Debit Discount Allowed 20; Credit Debtors 320",
        "2.5 : 1",
        "3:2",
        "33.33 %",
        "₹1,250.50",
        "Rs. 4,000",
        "$ 12",
        "(1,200)",
        "-40",
        "1.5 times",
        "42 days",
        "40",
        "Real account",
        "Yes",
        "NABARD",
        "Dr. Reddy's Laboratories Ltd.",
        "Contingent Liability.",
        "1999-2000",
        "实账户",
    ],
)
def test_gradable(answer: str) -> None:
    assert gradable(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "   ",
        "...",
        "Mary is David's grandmother.",
        "It depends.",
        "A fall of a cost account, whose balance is a debit most of the time, is a credit.",
        "The left side of the petty cash book is where money that came in is written.",
        "Each debit of the journal has its own credit of 100 elsewhere.",
        "Sales 5,000 less returns 200 gives net sales of 4,800 in the year.",
        "资产负债表是反映企业在某一特定日期财务状况的报表",
    ],
)
def test_not_gradable(answer: str) -> None:
    assert not gradable(answer)


@given(st.text(max_size=200))
def test_every_text_can_be_graded_against_itself(text: str) -> None:
    assert exact_match(text, text)
    assert gradable(text) in (True, False)
