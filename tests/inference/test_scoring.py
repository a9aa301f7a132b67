"""Scores of several models in one pass are those of dense float64 arithmetic."""

import copy

import numpy as np
import pytest
import torch

from kd_kedro.inference import scoring
from kd_kedro.inference.scoring import score_together
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import encode
from kd_kedro.models.prompt_format import PromptFormat, give_format
from kd_kedro.models.tokenization import train_byte_bpe
from tests.training.tiny import ANSWERS, QUESTIONS, tiny_model

NUMBERS = (
    "nll",
    "brier",
    "teacher_kl",
    "accepted_tokens",
    "calibration_confidence",
    "calibration_gaps",
)
COUNTS = ("answer_tokens", "answer_bytes", "agreeing_tokens", "calibration_tokens")


def dense(teacher, model, row):
    """One row's record in float64, over the whole vocabulary, position by position."""
    with torch.no_grad():
        ids = torch.tensor([row.input_ids])
        places = slice(row.answer_start - 1, len(row.input_ids) - 1)
        known = teacher.double()(ids).logits[0, places].numpy()
        asked = model.double()(ids).logits[0, places].numpy()
    answer = np.array(row.input_ids[row.answer_start :])
    here, probabilities = np.arange(len(answer)), softmax(asked)
    shared = min(known.shape[1], asked.shape[1])
    p, q = softmax(known[:, :shared]), softmax(asked[:, :shared])
    hit = np.zeros_like(probabilities)
    hit[here, answer] = 1
    confidence = probabilities.max(1)
    inside = np.floor(confidence * 10).astype(int)[:, None] == np.arange(10)
    gaps = confidence - (probabilities.argmax(1) == answer)
    return {
        "nll": -np.log(probabilities[here, answer]).sum(),
        "brier": ((probabilities - hit) ** 2).sum(),
        "teacher_kl": (p * (np.log(p) - np.log(q))).sum(),
        "accepted_tokens": np.minimum(p, q).sum(),
        "agreeing_tokens": (p.argmax(1) == q.argmax(1)).sum(),
        "answer_tokens": len(answer),
        "answer_bytes": len(ANSWERS["abcdef".index(row.row_id)].encode()),
        "calibration_tokens": inside.sum(0),
        "calibration_confidence": (inside * confidence[:, None]).sum(0),
        "calibration_gaps": (inside * gaps[:, None]).sum(0),
    }


def softmax(logits):
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


@pytest.fixture
def company(tokenizer):
    """A teacher whose vocabulary is padded, and two students."""
    sizes = [{"seed": 1, "extra": 9, "width": 32}, {"seed": 2}, {"seed": 3, "extra": 4}]
    models = [tiny_model(tokenizer, **each) for each in sizes]
    return [LanguageModel(model, tokenizer, {"max_length": 100}) for model in models]


@pytest.mark.parametrize("chunk", [2**22, 1000])
def test_scores_are_those_of_a_dense_float64_reference(company, tokenizer, monkeypatch, chunk):
    monkeypatch.setattr(scoring, "_CHUNK", chunk)
    scored = score_together(company, QUESTIONS, ANSWERS, batch_size=4)
    rows = encode(tokenizer, list("abcdef"), QUESTIONS, ANSWERS, 100)
    for language_model, records in zip(company, scored, strict=True):
        for record, row in zip(records, rows, strict=True):
            expected = dense(company[0].model, language_model.model, row)
            assert record.keys() == expected.keys()
            for name in NUMBERS:
                assert record[name] == pytest.approx(expected[name], rel=1e-4, abs=1e-5), name
            for name in COUNTS:
                np.testing.assert_array_equal(record[name], expected[name], name)


def test_a_teacher_agrees_with_itself(company):
    (records, *_) = score_together(company, QUESTIONS, ANSWERS, batch_size=4)
    assert all(record["teacher_kl"] == 0 for record in records)
    assert all(record["agreeing_tokens"] == record["answer_tokens"] for record in records)


def test_scores_depend_neither_on_the_batch_nor_on_the_company(company):
    together = score_together(company, QUESTIONS, ANSWERS, batch_size=6)
    (alone,) = score_together(company[1:2], QUESTIONS, ANSWERS, batch_size=1)
    for name in ("nll", "brier"):
        assert [r[name] for r in together[1]] == pytest.approx([r[name] for r in alone], rel=1e-4)


def test_another_tokenizer_is_scored_alone_and_not_compared(company):
    other = train_byte_bpe(["another text about depreciation"] * 3, 270)
    stranger = LanguageModel(tiny_model(other), other, {"max_length": 100})
    scored = score_together([company[0], stranger, company[1]], QUESTIONS, ANSWERS, batch_size=4)
    (expected,) = score_together([stranger], QUESTIONS, ANSWERS, batch_size=4)
    assert [r["nll"] for r in scored[1]] == [r["nll"] for r in expected]
    assert (
        {r["teacher_kl"] for r in scored[1]} == {r["agreeing_tokens"] for r in scored[1]} == {None}
    )
    assert all(r["teacher_kl"] > 0 for r in scored[2])


def test_a_shorter_limit_of_one_model_holds_for_its_whole_company(company, tokenizer):
    short = LanguageModel(company[1].model, tokenizer, {"max_length": 20})
    scored = score_together([company[0], short], QUESTIONS, ANSWERS, batch_size=4)
    tokens = [[record["answer_tokens"] for record in records] for records in scored]
    assert tokens[0] == tokens[1]
    assert max(tokens[0]) <= 20


def test_of_a_cut_answer_the_bytes_that_were_scored_count(company, tokenizer):
    short = LanguageModel(company[1].model, tokenizer, {"max_length": 12})
    ((record,),) = score_together([short], ["?"], ["cash in hand"], batch_size=1)
    (row,) = encode(tokenizer, ["a"], ["?"], ["cash in hand"], 12)
    read = tokenizer.decode(row.input_ids[row.answer_start :])
    assert 0 < len(read) < len(" cash in hand")
    assert record["answer_bytes"] == len(read) - 1  # without the blank that opens every answer


def test_models_are_left_in_the_mode_they_were_in(tokenizer):
    model = tiny_model(tokenizer, dropout=0.5).train()
    asked = LanguageModel(model, tokenizer)
    first, again = (score_together([asked], QUESTIONS, ANSWERS, batch_size=6) for _ in range(2))
    assert first == again  # no dropout while asking
    assert model.training


def test_nothing_asked_is_nothing_scored(company):
    assert score_together(company, [], [], batch_size=4) == [[], [], []]


def test_models_that_are_asked_otherwise_are_scored_alone():
    plain = train_byte_bpe([*QUESTIONS, *ANSWERS], 300)
    other = give_format(copy.deepcopy(plain), PromptFormat("{question} =>"), "tokenizer")
    models = [LanguageModel(tiny_model(each), each) for each in (plain, other)]
    _, records = score_together(models, QUESTIONS, ANSWERS, batch_size=4)
    assert {record["teacher_kl"] for record in records} == {None}
    (alone,) = score_together(models[1:], QUESTIONS, ANSWERS, batch_size=4)
    assert [record["nll"] for record in records] == [record["nll"] for record in alone]
