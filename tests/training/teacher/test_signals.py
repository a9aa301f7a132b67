"""The four sources: what each serves, and that each is exact, or unbiased, at what it serves."""

import json

import pytest
import torch
from safetensors.torch import save_file

from kd_kedro.losses.divergence_names import BUCKETED, FULL, SAMPLED
from kd_kedro.losses.divergences import DIVERGENCES
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate
from kd_kedro.training.loop.training_config import ObjectiveConfig
from kd_kedro.training.teacher import store as target_store
from kd_kedro.training.teacher.capture import _keep, capture
from kd_kedro.training.teacher.packed_bits import unpack
from kd_kedro.training.teacher.signals import LiveTeacher
from kd_kedro.training.teacher.store import CachedTargets, identity, open_targets
from tests.training.teacher.test_store import DENSE, ROWS, TOP_K
from tests.training.tiny import tiny_model

SAMPLE = TOP_K.model_copy(update={"source": "sampled"})
SERVED = {"dense": FULL, "top_k": BUCKETED, "sampled": SAMPLED, "live": FULL}


@pytest.fixture
def teachers(tokenizer):
    models = [LanguageModel(tiny_model(tokenizer, seed=seed), tokenizer) for seed in (9, 10)]
    return list(zip(models, (0.7, 0.3), strict=True))


def source_of(teachers, examples, folder, settings):
    belongs_to = identity(ROWS, teachers[0][0].tokenizer, teachers, 128)
    manifest = capture(teachers, examples, belongs_to, folder, settings)
    return open_targets(manifest, folder, belongs_to)


@pytest.mark.parametrize("source", list(SERVED))
def test_a_source_serves_its_divergences_and_temperatures_alone(
    source, teachers, tokenizer, examples, tmp_path
):
    one = [(teachers[0][0], 1.0)]
    if source == "live":
        targets = LiveTeacher(one[0][0].model, len(tokenizer), "live")
    else:
        targets = source_of(one, examples, tmp_path, DENSE.model_copy(update={"source": source}))
    assert targets.serves == SERVED[source]
    student = torch.randn(collate(examples, 1).answers.shape[0], len(tokenizer))
    for name in DIVERGENCES:
        for temperature in (1.0, 2.0):
            goal = ObjectiveConfig(alpha=0.5, beta=0.5, divergence=name, temperature=temperature)
            captured_there = source in ("dense", "live") or temperature == 2.0
            if name in SERVED[source] and captured_there:
                goal.check(targets)
                signal = targets.signal(collate(examples, 1), temperature)
                assert signal.divergence(name, 0.5, student).isfinite().all()
            else:
                with pytest.raises(ValueError, match=r"objective\.(divergence|temperature): "):
                    goal.check(targets)


def test_sampled_targets_are_unbiased_in_loss_and_gradient(teachers, tokenizer, examples, tmp_path):
    one, batch = [(teachers[0][0], 1.0)], collate(examples, 1)
    generator = torch.Generator().manual_seed(3)
    student = torch.randn(len(batch.answers), len(tokenizer), generator=generator)
    student.requires_grad_()

    def value_and_gradient(signal):
        divergence = signal.divergence("forward_kl", 0.0, student).sum()
        (slope,) = torch.autograd.grad(divergence, student)
        return torch.cat([divergence.detach()[None], slope.flatten()])

    live = LiveTeacher(one[0][0].model, len(tokenizer), "live").signal(batch, 2.0)
    dense = value_and_gradient(live)
    draws = []
    for seed in range(300):
        settings = SAMPLE.model_copy(update={"seed": seed, "rows_per_shard": 6, "batch_size": 6})
        targets = source_of(one, examples, tmp_path / str(seed), settings)
        draws.append(value_and_gradient(targets.signal(batch, 2.0)))
    estimates = torch.stack(draws)
    # A share of t is met with a chance of p / t at least: its variance is p t at most, t below 0.5.
    error = (live.teacher.exp().flatten() * 0.5 / len(draws)).sqrt()
    assert ((estimates.mean(0) - dense)[1:].abs() < 5 * error + 1e-4).all()
    spread = estimates[:, 0].std() / len(draws) ** 0.5
    assert (estimates.mean(0) - dense)[0].abs() < 5 * spread


def test_sampled_targets_are_deterministic_and_follow_their_seed(teachers, examples, tmp_path):
    batch, one = collate(examples, 1), [(teachers[0][0], 1.0)]
    same = [
        source_of(one, examples, tmp_path / name, settings).signal(batch, 2.0)
        for name, settings in (
            ("a", SAMPLE),
            ("b", SAMPLE),
            ("c", SAMPLE.model_copy(update={"seed": 2})),
        )
    ]
    assert torch.equal(same[0].ids, same[1].ids)
    assert torch.equal(same[0].shares, same[1].shares)
    assert not torch.equal(same[0].ids, same[2].ids)
    assert same[0].shares.sum() == pytest.approx(len(batch.answers), rel=0.05)


def test_one_top_k_capture_serves_several_temperatures(teachers, tokenizer, examples, tmp_path):
    one = [(teachers[0][0], 1.0)]
    settings = TOP_K.model_copy(update={"temperatures": (0.7, 1.0, 3.0), "dtype": "float32"})
    targets = source_of(one, examples, tmp_path, settings)
    batch = collate(examples, 1)
    live = LiveTeacher(one[0][0].model, len(tokenizer), "live")
    for temperature in settings.temperatures:
        p = live.signal(batch, temperature).teacher.double().exp()
        signal = targets.signal(batch, temperature)
        top = p.gather(1, signal.ids)
        events = torch.cat([top, 1 - top.sum(-1, keepdim=True)], -1)
        torch.testing.assert_close(signal.teacher.double().exp(), events, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_an_ensemble_is_averaged_in_probability_space(
    teachers, tokenizer, examples, tmp_path, temperature
):
    batch = collate(examples, 1)
    logits = []
    for teacher, _ in teachers:
        model = tiny_model(tokenizer)
        model.load_state_dict(teacher.model.state_dict())
        live = LiveTeacher(model.double(), len(tokenizer), "reference")
        logits.append(live.signal(batch, 1.0).teacher)
    mean = 0.7 * logits[0].exp() + 0.3 * logits[1].exp()
    expected = (mean.log() / temperature).log_softmax(-1).float()
    of_logits = ((0.7 * logits[0] + 0.3 * logits[1]) / temperature).log_softmax(-1).float()
    (first, _), (second, share) = teachers
    live = LiveTeacher(first.model, len(tokenizer), "live", further=[(second.model, share)]).signal(
        batch, temperature
    )
    cached = source_of(teachers, examples, tmp_path, DENSE).signal(batch, temperature)
    for signal in (live, cached):
        torch.testing.assert_close(signal.teacher, expected, rtol=1e-4, atol=1e-4)
        assert (signal.teacher - of_logits).abs().max() > 0.1
        assert signal.hidden is None


# Sampled targets keep them in 8 bits: half a step of a 127th of the largest channel.
@pytest.mark.parametrize(("source", "rounding"), [("dense", 0.0), ("sampled", 0.5 / 127)])
def test_hidden_states_are_those_of_the_live_teacher(
    source, rounding, teachers, tokenizer, examples, tmp_path
):
    one = [(teachers[0][0], 1.0)]
    settings = DENSE.model_copy(update={"source": source, "hidden_states": True})
    cached = source_of(one, examples, tmp_path, settings)
    live = LiveTeacher(one[0][0].model, len(tokenizer), "live")
    batch = collate([examples[index] for index in (4, 0, 3)], 1)
    assert cached.hidden_width == live.hidden_width == 16
    expected = live.signal(batch, 1.0).hidden
    off = (cached.signal(batch, 2.0).hidden - expected).abs()
    assert (off <= rounding * expected.abs().amax(-1, keepdim=True) + 1e-4).all()


@pytest.mark.parametrize(("vocabulary", "bits"), [(50_257, 16), (151_936, 18)])
def test_ids_of_large_vocabularies_come_back(vocabulary, bits):
    logits = torch.full((2, vocabulary), -20.0)
    wanted = [vocabulary - 1, 40_000, 32_768, 32_767, 3]
    logits[:, wanted] = torch.tensor([9.0, 8.0, 7.0, 6.0, 5.0])
    settings = TOP_K.model_copy(update={"k": 5, "temperatures": (1.0,)})
    kept = _keep(logits.log_softmax(-1), settings)
    assert kept["ids"].shape == (2, -(-5 * bits // 8))
    assert unpack(kept["ids"].numpy(), 5, bits).tolist() == [wanted, wanted]


def resident_mebibytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def test_opening_a_store_does_not_read_it_into_memory(tmp_path):
    tokens, width = 4096, 8192  # 64 MiB of float16
    shard = {"log_probs": torch.zeros(tokens, width, dtype=torch.float16)}
    shard["offsets"] = torch.tensor([0, tokens])
    save_file(shard, tmp_path / "shard.safetensors", metadata={"row_ids": json.dumps(["row"])})
    del shard
    manifest = {
        "fingerprint": "f",
        "source": "dense",
        "hidden_width": None,
        "temperatures": [1.0],
        "vocabulary": width,
        "shards": [{"file": "shard.safetensors"}],
    }
    before = resident_mebibytes()
    targets = CachedTargets(manifest, tmp_path)
    assert resident_mebibytes() - before < 16
    assert targets.serves == FULL


def test_a_shard_is_hashed_once_in_a_process(teachers, examples, tmp_path, monkeypatch):
    one = [(teachers[0][0], 1.0)]
    belongs_to = identity(ROWS, one[0][0].tokenizer, one, 128)
    manifest = capture(one, examples, belongs_to, tmp_path, TOP_K)
    hashed, real = [], target_store.file_fingerprint
    monkeypatch.setattr(
        target_store, "file_fingerprint", lambda path: hashed.append(path) or real(path)
    )
    for _ in range(3):
        open_targets(manifest, tmp_path, belongs_to)
    assert len(hashed) == len(manifest["shards"])
