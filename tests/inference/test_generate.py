"""Padding changes no answer and no score."""

import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration

from kd_kedro.inference.generate import generate_answers
from kd_kedro.inference.scoring import score_together
from kd_kedro.models.build import pretrained_model
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate, encode_prompts, prompt_text
from tests.inference.answer_logits import answer_logits
from tests.models.tokenizers_of_kinds import TEMPLATES, tokenizer_of
from tests.training.architectures import save
from tests.training.tiny import ANSWERS, QUESTIONS, tiny_model


@pytest.fixture
def language_model(model, tokenizer):
    return LanguageModel(model, tokenizer, {"max_length": 100})


def token_by_token(language_model, question, count):
    """Greedy decoding without batch, padding or cache."""
    model, tokenizer = language_model.model, language_model.tokenizer
    ids = encode_prompts(tokenizer, [question])[0]
    start = len(ids)
    with torch.no_grad():
        for _ in range(count):
            best = int(model(torch.tensor([ids])).logits[0, -1].argmax())
            if best == tokenizer.eos_token_id:
                break
            ids.append(best)
    return tokenizer.decode(ids[start:], skip_special_tokens=True).strip()


def test_a_batch_answers_as_each_question_alone(language_model):
    together = generate_answers(language_model, QUESTIONS, max_new_tokens=12, batch_size=4)
    assert together == [token_by_token(language_model, q, 12) for q in QUESTIONS]
    assert len(set(together)) > 1


def test_left_padding_without_positions_would_change_the_logits(model, tokenizer):
    # What generate_answers must not do: GPT-2 counts positions from the padding then.
    ids = encode_prompts(tokenizer, [QUESTIONS[2]])[0]
    padded = torch.tensor([[tokenizer.pad_token_id] * 5 + ids])
    mask = torch.tensor([[0] * 5 + [1] * len(ids)])
    with torch.no_grad():
        alone = model(torch.tensor([ids])).logits[0, -1]
        wrong = model(padded, attention_mask=mask, position_ids=torch.arange(5 + len(ids))[None])
        right = model(padded, attention_mask=mask, position_ids=(mask.cumsum(-1) - 1).clamp(0))
    assert (wrong.logits[0, -1] - alone).abs().max() > 0.1
    torch.testing.assert_close(right.logits[0, -1], alone, rtol=1e-4, atol=1e-4)


def test_right_padding_needs_no_mask(model, examples, tokenizer):
    batch = collate(examples, tokenizer.pad_token_id)
    alone = [collate([example], tokenizer.pad_token_id) for example in examples]
    with torch.no_grad():
        together = answer_logits(model, batch)
        one_by_one = [answer_logits(model, b) for b in alone]
    torch.testing.assert_close(together, torch.cat(one_by_one), rtol=1e-4, atol=1e-5)


def test_an_answer_stops_at_the_end_token(tokenizer):
    model = tiny_model(tokenizer)
    with torch.no_grad():  # a model that always ends at once
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.copy_(model.transformer.wte.weight[tokenizer.eos_token_id] * 50)
    silent = LanguageModel(model, tokenizer)
    assert generate_answers(silent, QUESTIONS, max_new_tokens=9, batch_size=3) == [""] * 6


def test_an_answer_never_needs_more_positions_than_there_are(language_model):
    (answer,) = generate_answers(language_model, ["long " * 200], max_new_tokens=500, batch_size=1)
    assert isinstance(answer, str)


def test_a_prompt_is_read_whole_and_the_answer_has_the_rest(language_model):
    (ids,) = encode_prompts(language_model.tokenizer, [QUESTIONS[1]])
    short = LanguageModel(
        language_model.model, language_model.tokenizer, {"max_length": len(ids) + 3}
    )
    found = generate_answers(short, QUESTIONS[:2], max_new_tokens=len(ids) + 2, batch_size=1)
    assert found[1] == token_by_token(language_model, QUESTIONS[1], 3)


def test_a_longer_neighbour_takes_no_room_from_an_answer(language_model):
    long, short = encode_prompts(language_model.tokenizer, [QUESTIONS[1], QUESTIONS[2]])
    tight = LanguageModel(
        language_model.model, language_model.tokenizer, {"max_length": len(long) + 2}
    )
    found = generate_answers(tight, QUESTIONS[1:3], max_new_tokens=12, batch_size=2)
    assert len(short) + 12 < len(long) + 2
    assert found[0] == token_by_token(language_model, QUESTIONS[1], 2)
    assert found[1] == token_by_token(language_model, QUESTIONS[2], 12)


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A BART of its pretraining's layout: `<s> text </s>`, decoded from `</s> <s>` on."""
    tokenizer = tokenizer_of("bytes", TEMPLATES[-1], [*QUESTIONS, *ANSWERS])
    sizes = {"d_model": 16, "vocab_size": len(tokenizer), "max_position_embeddings": 128}
    for half in ("encoder", "decoder"):
        sizes |= {f"{half}_layers": 1, f"{half}_ffn_dim": 16, f"{half}_attention_heads": 2}
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = BartConfig(
        **sizes, **ids, pad_token_id=0, decoder_start_token_id=ids["eos_token_id"], init_std=0.5
    )
    torch.manual_seed(0)
    folder = save(tmp_path_factory.mktemp("bart"), BartForConditionalGeneration(config), tokenizer)
    model = pretrained_model(folder, "teacher.pretrained", tokenizer, "float32")
    return LanguageModel(model, tokenizer)


def test_an_encoder_decoder_is_scored_as_it_was_pretrained(marked):
    (scores,) = score_together([marked], QUESTIONS, ANSWERS, batch_size=2)
    for question, answer, score in zip(QUESTIONS, ANSWERS, scores, strict=True):
        asked = marked.tokenizer(prompt_text(question), return_tensors="pt")
        labels = marked.tokenizer(f" {answer}", return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = marked.model(**asked, labels=labels).logits[0]
        expected = torch.nn.functional.cross_entropy(logits[1:], labels[0, 1:], reduction="sum")
        assert score["nll"] == pytest.approx(float(expected), rel=1e-4)
        assert score["answer_tokens"] == labels.shape[1] - 1


def test_an_encoder_decoder_answers_as_it_was_pretrained(marked):
    tokenizer = marked.tokenizer
    found = generate_answers(marked, QUESTIONS, max_new_tokens=6, batch_size=4)
    for question, answer in zip(QUESTIONS, found, strict=True):
        asked = tokenizer(prompt_text(question), return_tensors="pt")
        # transformers alone, from what the checkpoint says: the begin mark is one token more.
        ids = marked.model.generate(
            asked["input_ids"], attention_mask=asked["attention_mask"], max_new_tokens=7
        )
        assert ids[0, :2].tolist() == [tokenizer.eos_token_id, tokenizer.bos_token_id]
        assert tokenizer.decode(ids[0, 2:], skip_special_tokens=True).strip() == answer
    assert len(set(found)) > 1


def test_in_an_ensemble_too_its_decoder_begins_with_its_marks(marked):
    twin = LanguageModel(marked.model, marked.tokenizer, {"share": 0.5})
    twins = LanguageModel(marked.model, marked.tokenizer, {}, {"twin": twin})
    together, alone = (
        generate_answers(each, QUESTIONS, max_new_tokens=6, batch_size=4)
        for each in (twins, marked)
    )
    assert together == alone


def test_asking_leaves_the_model_in_the_mode_it_was_in(tokenizer):
    model = tiny_model(tokenizer, dropout=0.5).train()
    asked = LanguageModel(model, tokenizer)
    first = generate_answers(asked, QUESTIONS, max_new_tokens=5, batch_size=6)
    again = generate_answers(asked, QUESTIONS, max_new_tokens=5, batch_size=6)
    assert first == again  # no dropout while asking
    assert model.training


def test_nothing_asked_is_nothing_answered(language_model):
    assert generate_answers(language_model, [], max_new_tokens=5, batch_size=4) == []
