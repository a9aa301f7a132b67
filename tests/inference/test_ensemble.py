"""An ensemble is asked as one model: the mean of its members' probabilities, computed densely."""

import numpy as np
import pytest
import torch

from kd_kedro.inference.generate import generate_answers
from kd_kedro.inference.incremental import mixed_steps, model_steps
from kd_kedro.inference.scoring import score_together
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import encode, encode_prompts
from tests.training.architectures import build
from tests.training.tiny import ANSWERS, QUESTIONS, tiny_model

SHARES = (0.5, 0.3, 0.2)


def together(models, tokenizer, shares=SHARES):
    first, *others = models
    ensemble = {
        f"other_{number}": LanguageModel(each, tokenizer, {"share": share})
        for number, (each, share) in enumerate(zip(others, shares[1:], strict=True))
    }
    return LanguageModel(first, tokenizer, {"max_length": 100}, ensemble)


@pytest.fixture
def members(tokenizer):
    """Vocabularies padded to different sizes, and one that reads the question with an encoder."""
    t5 = build("t5", tokenizer)
    return [tiny_model(tokenizer, seed=1, extra=9), t5, tiny_model(tokenizer, seed=4, width=32)]


def probabilities(model, prompt, answer, size):
    """(len(answer) + 1, size) float64: of each answer token and of the one after them, densely."""
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            start = [model.config.decoder_start_token_id, *answer]
            given = {
                "input_ids": torch.tensor([prompt]),
                "decoder_input_ids": torch.tensor([start]),
            }
            logits = model(**given).logits[0]
        else:
            logits = model(torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 :]
    return logits[:, :size].double().softmax(-1).numpy()


def mean(members, prompt, answer, size):
    said = (probabilities(model, prompt, answer, size) for model in members)
    return sum(share * each for share, each in zip(SHARES, said, strict=True))


def test_an_answer_is_the_likeliest_token_of_the_mean_each_time(members, tokenizer):
    asked = together(members, tokenizer)
    found = generate_answers(asked, QUESTIONS, max_new_tokens=8, batch_size=4)
    for question, answer in zip(QUESTIONS, found, strict=True):
        (prompt,), ids = encode_prompts(tokenizer, [question]), []
        while len(ids) < 8 and tokenizer.eos_token_id not in ids:
            ids.append(int(mean(members, prompt, ids, len(tokenizer))[-1].argmax()))
        assert tokenizer.decode(ids, skip_special_tokens=True).strip() == answer
    alone = [
        generate_answers(LanguageModel(each, tokenizer), QUESTIONS, max_new_tokens=8, batch_size=4)
        for each in members
    ]
    assert found not in alone


def test_scores_are_those_of_the_mean_and_a_student_is_compared_with_it(tokenizer, members):
    causal = [members[0], tiny_model(tokenizer, seed=5, width=16), members[2]]
    teacher, student = together(causal, tokenizer), tiny_model(tokenizer, seed=2)
    scored = score_together(
        [teacher, LanguageModel(student, tokenizer)], QUESTIONS, ANSWERS, batch_size=4
    )
    size = len(tokenizer)
    for place, row in enumerate(encode(tokenizer, list("abcdef"), QUESTIONS, ANSWERS, 100)):
        prompt, answer = row.input_ids[: row.answer_start], row.input_ids[row.answer_start :]
        p = mean(causal, prompt, answer, size)[:-1]
        q = probabilities(student, prompt, answer, size)[:-1]
        its, own = (records[place] for records in scored)
        assert its["nll"] == pytest.approx(-np.log(p[range(len(answer)), answer]).sum(), rel=1e-4)
        assert its["agreeing_tokens"] == len(answer)
        assert own["teacher_kl"] == pytest.approx((p * np.log(p / q)).sum(), rel=1e-3)
        assert own["accepted_tokens"] == pytest.approx(np.minimum(p, q).sum(), rel=1e-4)
        assert own["agreeing_tokens"] == (p.argmax(1) == q.argmax(1)).sum()


@pytest.mark.parametrize("kind", ["gpt2", "llama", "t5", "encoder_decoder"])
def test_twins_answer_and_score_as_one_of_them(kind, tokenizer):
    model = build(kind, tokenizer)
    one, twins = LanguageModel(model, tokenizer), together([model] * 3, tokenizer)
    one = LanguageModel(model, tokenizer, {"max_length": 100})
    ours, expected = (
        generate_answers(each, QUESTIONS, max_new_tokens=6, batch_size=4) for each in (twins, one)
    )
    assert ours == expected
    (ours,), (expected,) = (
        score_together([each], QUESTIONS, ANSWERS, batch_size=4) for each in (twins, one)
    )
    assert [row["nll"] for row in ours] == pytest.approx([row["nll"] for row in expected], rel=1e-4)


def test_it_reads_no_more_than_each_of_its_models(tokenizer):
    models = [tiny_model(tokenizer), tiny_model(tokenizer, seed=2)]
    asked = together(models, tokenizer, (0.5, 0.5))
    asked.ensemble["other_0"].card["max_length"] = 20
    assert asked.max_length == 20
    assert (
        max(
            s["answer_tokens"] for s in score_together([asked], QUESTIONS, ANSWERS, batch_size=2)[0]
        )
        <= 20
    )


def test_its_steps_are_the_mean_of_the_steps(tokenizer, members):
    weighted = [(model_steps(members[place]), share) for place, share in ((0, 0.6), (2, 0.4))]
    steps, cache = mixed_steps(weighted, len(tokenizer)), None
    ids = torch.tensor([encode_prompts(tokenizer, QUESTIONS[:1])[0]])
    caches = [None, None]
    with torch.no_grad():
        for part, end in (
            (ids[:, :-1], -1),
            (ids[:, -1:], None),
        ):  # the prompt, then with its cache
            mask = torch.ones_like(ids[:, :end])
            found, cache = steps(part, mask, cache)
            made = [one(part, mask, own) for (one, _), own in zip(weighted, caches, strict=True)]
            caches = [own for _, own in made]
            expected = sum(
                share * logits[..., : len(tokenizer)].softmax(-1)
                for (logits, _), (_, share) in zip(made, weighted, strict=True)
            )
            torch.testing.assert_close(found.exp(), expected, rtol=1e-4, atol=1e-6)
