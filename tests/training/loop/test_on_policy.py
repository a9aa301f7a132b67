"""A student's own answers: how they are sampled, masked, counted and judged."""

from dataclasses import replace

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from kd_kedro.models.encoding import IGNORED, collate
from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.training.loop import distillation_module
from kd_kedro.training.loop.objective import answer_loss
from kd_kedro.training.loop.on_policy import OnPolicy
from kd_kedro.training.loop.training_config import ObjectiveConfig, OnPolicyConfig
from kd_kedro.training.teacher.signals import LiveTeacher
from tests.training.loop.test_train import fit, live
from tests.training.tiny import tiny_model

GOAL = ObjectiveConfig(alpha=0.5, beta=0.5)


@pytest.fixture
def policy(tokenizer):
    return OnPolicy(
        live(tokenizer),
        OnPolicyConfig(share=1.0, max_new_tokens=6),
        tokenizer.eos_token_id,
        tokenizer.pad_token_id,
    )


def with_config(policy, **changed):
    return replace(policy, config=policy.config.model_copy(update=changed))


def answering(model, *ids):
    """Make a model that says these tokens one after the other, whatever it is asked."""
    steps = iter(ids)

    def say(_module, _given, logits):
        forced = torch.full_like(logits, -1e9)
        forced[..., next(steps)] = 0.0
        return forced

    model.get_output_embeddings().register_forward_hook(say)
    return model


def test_the_mask_by_hand(tokenizer, examples, policy):
    end = tokenizer.eos_token_id
    model = answering(tiny_model(tokenizer), 40, 41, end, 50, 51, 52)
    rows = [examples[0], examples[2]]
    batch = policy.sample(model, collate(rows, policy.padding), 1, 0, 0)
    assert not batch.written
    assert batch.row_ids == ("row0", "row2")
    assert batch.answers.tolist() == [40, 41, end] * 2
    for row, example in enumerate(rows):
        prompt = list(example.input_ids[: example.answer_start])
        kept = batch.input_ids[row, : len(prompt) + 3].tolist()
        assert kept == [*prompt, 40, 41, end]
        labels = batch.labels[row].tolist()
        # The last prompt token predicts the first sampled one; nothing after the end counts.
        start = len(prompt) - 1
        assert labels[start : start + 3] == [40, 41, end]
        assert set(labels[:start] + labels[start + 3 :]) <= {IGNORED}


def test_a_cut_answer_has_no_end_and_an_empty_one_is_its_end(tokenizer, examples, policy):
    end, batch = tokenizer.eos_token_id, collate(examples[:1], policy.padding)
    cut = policy.sample(answering(tiny_model(tokenizer), *range(40, 46)), batch, 1, 0, 0)
    assert cut.answers.tolist() == list(range(40, 46))
    empty = policy.sample(answering(tiny_model(tokenizer), end), batch, 1, 0, 0)
    assert empty.answers.tolist() == [end]
    same = replace(policy, padding=end)  # the end token counts where it is the padding too
    kept = same.sample(answering(tiny_model(tokenizer), 40, end), batch, 1, 0, 0)
    assert kept.answers.tolist() == [40, end]


def test_answers_come_from_the_students_distribution(tokenizer, examples, policy):
    model, one = (
        tiny_model(tokenizer, seed=3),
        with_config(policy, max_new_tokens=1, temperature=2.0),
    )
    prompt = examples[0].input_ids[: examples[0].answer_start]
    with torch.no_grad():
        expected = (model(torch.tensor([prompt])).logits[0, -1] / 2).softmax(-1)
    # Short prompts beside it are padded on the left: its own first token must not notice.
    rows = [examples[0], examples[2]] * 500
    first = one.sample(model, collate(rows, policy.padding), 1, 0, 0).answers[::2]
    seen = torch.bincount(first, minlength=len(expected)) / len(first)
    top = expected.topk(5).indices
    error = (expected[top] * (1 - expected[top]) / len(first)).sqrt()
    assert ((seen[top] - expected[top]).abs() < 4.5 * error).all()


def test_draws_depend_on_the_place_alone_and_leave_the_random_state(tokenizer, examples, policy):
    model = tiny_model(tokenizer, seed=3, dropout=0.5).train()
    batch = collate(examples, policy.padding)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = policy.sample(model, batch, 1, 2, 0)
    assert torch.equal(torch.rand(3), expected)
    assert model.training
    again = policy.sample(model, batch, 1, 2, 0)  # dropout would have changed it
    other = policy.sample(model, batch, 1, 3, 0)
    assert again.answers.tolist() == first.answers.tolist() != other.answers.tolist()
    assert not first.input_ids.is_inference()


def test_the_share_is_of_the_batches(policy):
    half = with_config(policy, share=0.3)
    chosen = [half.chooses(1, step, number) for step in range(500) for number in range(2)]
    assert 0.24 < sum(chosen) / 1000 < 0.36
    assert not any(with_config(policy, share=0.0).chooses(1, step, 0) for step in range(50))
    assert all(policy.chooses(1, step, 0) for step in range(50))


def test_an_answer_ends_where_the_positions_do(tokenizer, examples, policy):
    model = tiny_model(tokenizer, seed=3)
    long = with_config(policy, max_new_tokens=1000)
    longest = max(example.answer_start for example in examples)
    batch = long.sample(model, collate(examples, policy.padding), 1, 0, 0)
    assert (batch.labels != IGNORED).sum(1).max() <= 128 - longest


@pytest.mark.parametrize("end", [(), (5,)])
def test_an_encoder_decoder_samples_too(end, tokenizer, examples, policy):
    # The marks of a tokenizer: one before a text, where there is one after it.
    examples = [replace(row, begin=len(end), end=end) for row in examples]
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=1,
        num_heads=2,
        decoder_start_token_id=tokenizer.pad_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = T5ForConditionalGeneration(config).eval()
    written = collate(examples, policy.padding, tokenizer.pad_token_id)
    batch = policy.sample(model, written, 1, 0, 0)
    assert torch.equal(batch.encoder_ids, written.encoder_ids)
    assert torch.equal(batch.encoder_mask, written.encoder_mask)
    for row in range(len(examples)):
        answer = batch.labels[row][batch.labels[row] != IGNORED].tolist()
        begin = examples[row].input_ids[: len(end)]
        read = batch.input_ids[row, : len(begin) + len(answer)].tolist()
        assert read == [tokenizer.pad_token_id, *begin, *answer[:-1]]
        assert 1 <= len(answer) <= 6


def spied(monkeypatch):
    seen = []

    def spy(objective, states, head, labels, signal, projection):
        loss = answer_loss(objective, states, head, labels, signal, projection)
        seen.append((objective.alpha, len(labels), loss.total.item(), states.requires_grad))
        return loss

    monkeypatch.setattr(distillation_module, "answer_loss", spy)
    return seen


def test_the_loss_is_a_mean_over_the_sampled_answers(
    tokenizer, examples, tmp_path, policy, monkeypatch
):
    seen = spied(monkeypatch)
    history = fit(
        tiny_model(tokenizer, seed=3),
        examples,
        tmp_path,
        objective=GOAL,
        targets=live(tokenizer),
        on_policy=policy,
        gradient_accumulation_steps=3,
        max_steps=1,
        validation=[],
    )
    tokens = sum(count for _, count, *_ in seen)
    assert tokens != sum(example.answer_tokens for example in examples)
    assert {alpha for alpha, *_ in seen} == {0.0}  # its own words are no example to follow
    mean = sum(total for *_, total, _ in seen) / tokens
    assert history[0]["loss"] == pytest.approx(mean, rel=1e-4)


def test_written_batches_ask_the_targets_and_sampled_ones_the_live_teacher(
    tokenizer, examples, tmp_path, policy, monkeypatch
):
    asked = {"targets": [], "teacher": []}

    class Spy(LiveTeacher):
        def __init__(self, name):
            super().__init__(tiny_model(tokenizer, seed=9), len(tokenizer), name)

        def signal(self, batch, temperature):
            asked[self.fingerprint].append(batch.written)
            return super().signal(batch, temperature)

    seen = spied(monkeypatch)
    fit(
        tiny_model(tokenizer, seed=3),
        examples,
        tmp_path,
        objective=GOAL,
        targets=Spy("targets"),
        on_policy=replace(with_config(policy, share=0.5), teacher=Spy("teacher")),
        max_steps=8,
        validation=[],
    )
    assert len(asked["targets"]) + len(asked["teacher"]) == 8
    assert set(asked["targets"]) == {True}
    assert set(asked["teacher"]) == {False}
    assert sorted({alpha for alpha, *_ in seen}) == [0.0, 0.5]


def test_it_repeats_bit_by_bit_and_goes_on_after_a_kill(tokenizer, examples, tmp_path, policy):
    def trained(path, *, dies=False):
        model = tiny_model(tokenizer, seed=3, dropout=0.2)

        def on_evaluation(step, _loss):
            if dies and step == 2:
                raise KeyboardInterrupt

        fit(
            model,
            examples,
            path,
            objective=GOAL,
            targets=live(tokenizer),
            on_policy=with_config(policy, share=0.6),
            on_evaluation=on_evaluation,
            max_steps=4,
            num_evaluations=4,
        )
        return weights_fingerprint(model)

    whole = trained(tmp_path / "whole")
    assert trained(tmp_path / "again") == whole
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", dies=True)
    assert any((tmp_path / "killed").iterdir())
    assert trained(tmp_path / "killed") == whole


def test_a_divergence_the_live_teacher_cannot_give_is_refused(
    tokenizer, examples, tmp_path, policy
):
    goal = ObjectiveConfig(alpha=0.5, beta=0.5, divergence="bucketed_forward_kl")
    with pytest.raises(ValueError, match=r"objective\.divergence: .*cannot give"):
        fit(
            tiny_model(tokenizer),
            examples,
            tmp_path,
            objective=goal,
            targets=live(tokenizer),
            on_policy=policy,
        )


def test_an_answer_is_no_longer_than_the_teacher_reads_behind_its_own_prompt(
    tokenizer, examples, policy
):
    model, batch = tiny_model(tokenizer), collate(examples[:1], policy.padding)
    policy.teacher.prompts = {"row0": range(5, 130)}  # 125 of its 128 positions
    sampled = policy.sample(answering(model, *range(40, 46)), batch, 1, 0, 0)
    assert sampled.answers.tolist() == [40, 41, 42]
    policy.teacher.signal(sampled, 1.0)
    prompt = examples[0].input_ids[: examples[0].answer_start]
    assert sampled.input_ids[0, : len(prompt)].tolist() == list(prompt)  # the student's own
