"""Adapters learn alone, are merged without loss, and sit where they were asked to."""

import copy

import pytest
import torch

from kd_kedro.inference.generate import generate_answers
from kd_kedro.models import adapters
from kd_kedro.models.adapters import (
    adapter_card,
    add_adapter,
    four_bits,
    load_adapter,
    merged,
    refuse_narrow,
    save_adapter,
    without_adapter,
)
from kd_kedro.models.build import pretrained_model, size_card
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate
from kd_kedro.models.model_config import AdapterConfig
from kd_kedro.models.modes import decoder_start
from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.training.loop.train import train
from kd_kedro.training.loop.training_config import ObjectiveConfig
from tests.inference.answer_logits import answer_logits
from tests.training.architectures import ALL, build, save
from tests.training.loop.test_architectures import SETTINGS
from tests.training.tiny import QUESTIONS


def trained(model, examples, tokenizer, tmp_path, **changed):
    adapted = add_adapter(model, AdapterConfig(**changed), seed=3)
    train(
        adapted,
        examples,
        examples[:2],
        objective=ObjectiveConfig(),
        targets=None,
        settings=SETTINGS,
        seed=0,
        padding=tokenizer.pad_token_id,
        work_dir=tmp_path,
        description="student",
    )
    return adapted.cpu()  # a GPU trains where there is one


@pytest.mark.parametrize("kind", [*ALL, "mistral"])
def test_the_merged_model_says_what_the_adapted_one_says(kind, tokenizer, examples, tmp_path):
    model = build(kind, tokenizer)
    base = copy.deepcopy(model)
    batch = collate(examples, tokenizer.pad_token_id, decoder_start(model))
    adapted = trained(model, examples, tokenizer, tmp_path)
    plain = merged(adapted)
    assert type(plain) is type(base)
    with torch.no_grad():
        learned = answer_logits(adapted, batch)
        torch.testing.assert_close(answer_logits(plain, batch), learned, rtol=0, atol=1e-4)
        assert (learned - answer_logits(base, batch)).abs().max() > 0.01
    assert weights_fingerprint(without_adapter(adapted)) == weights_fingerprint(base)
    asked = [LanguageModel(each, tokenizer) for each in (adapted, plain)]
    first, second = (generate_answers(a, QUESTIONS, max_new_tokens=5, batch_size=6) for a in asked)
    assert first == second


def test_the_adapter_alone_learns(tokenizer, examples, tmp_path):
    adapted = add_adapter(build("llama", tokenizer), AdapterConfig(), seed=3)
    learns = {name for name, weight in adapted.named_parameters() if weight.requires_grad}
    assert learns == {name for name, _ in adapted.named_parameters() if "lora_" in name}
    card = adapter_card(adapted)
    assert (card["rank"], card["alpha"], card["dropout"]) == (16, 32, 0.05)
    projections = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
    assert card["target_modules"] == projections
    assert card["parameters"] == sum(w.numel() for w in adapted.parameters() if w.requires_grad)
    assert size_card(adapted)["architecture"] == "LlamaForCausalLM"


def test_the_same_seed_is_the_same_adapter(tokenizer):
    state = torch.get_rng_state()
    prints = [
        weights_fingerprint(add_adapter(build("gpt2", tokenizer), AdapterConfig(), seed))
        for seed in (1, 1, 2)
    ]
    assert prints[0] == prints[1] != prints[2]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("kind", "name"), [("phi", "q_proj"), ("gpt2", "c_attn"), ("t5", "wo")])
def test_it_sits_where_it_was_asked_to(kind, name, tokenizer):
    adapted = add_adapter(build(kind, tokenizer), AdapterConfig(target_modules=(name,)), 0)
    places = {n.partition(".lora_")[0] for n, _ in adapted.named_parameters() if ".lora_" in n}
    assert {place.rpartition(".")[2] for place in places} == {name}
    assert len(places) == (6 if kind == "t5" else 3)


def test_a_wrong_target_names_those_there_are(tokenizer):
    message = r"PhiForCausalLM has no 'c_attn' in its blocks; there are dense, fc1, fc2, k_proj, q_"
    with pytest.raises(ValueError, match=message):
        add_adapter(build("phi", tokenizer), AdapterConfig(target_modules=("c_attn",)), 0)


@pytest.mark.parametrize(
    ("kind", "name"), [("gpt2", "lm_head"), ("encoder_decoder", "decoder.cls.predictions.decoder")]
)
def test_the_head_is_refused_as_a_target(kind, name, tokenizer):
    with pytest.raises(ValueError, match=rf"'{name}' is the language-model head"):
        add_adapter(build(kind, tokenizer), AdapterConfig(target_modules=(name,)), 0)


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_an_adapter_is_written_and_read_without_where_it_lay(kind, tokenizer, examples, tmp_path):
    model = build(kind, tokenizer)
    model.config._name_or_path = model.name_or_path = "/models/somebody/base"
    adapted = trained(model, examples, tokenizer, tmp_path / "work")
    save_adapter(adapted, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.*")) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert "somebody" not in (tmp_path / "adapter_config.json").read_text()
    loaded = load_adapter(without_adapter(adapted), tmp_path)
    assert weights_fingerprint(loaded) == weights_fingerprint(adapted)


def test_four_bits_need_bitsandbytes_and_a_gpu(monkeypatch):
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"student\.adapter\.kind: 4-bit .* need bitsandbytes"):
        four_bits("distillation.student.adapter.kind")
    monkeypatch.setattr(adapters, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"4-bit weights need a GPU and this machine has none"):
        four_bits("distillation.student.adapter.kind")


@pytest.mark.parametrize(
    ("kind", "width", "layer"), [("llama", 32, r"down_proj"), ("gpt2", 32, r"attn\.c_attn")]
)
def test_a_base_too_narrow_for_four_bits_is_refused(kind, width, layer, tokenizer, tmp_path):
    model = build(kind, tokenizer, width=width)
    with pytest.raises(
        ValueError, match=rf"student\.pretrained: .* 4-bit weights: layer \S+{layer} has 32 inputs"
    ):
        refuse_narrow(model, "distillation.student.pretrained")
    folder = save(tmp_path, model, tokenizer)
    with pytest.raises(ValueError, match="choose a wider base, or set"):
        pretrained_model(folder, "p", tokenizer, "float32", quantization=object())
    refuse_narrow(build(kind, tokenizer, width=64), "distillation.student.pretrained")


def test_a_base_in_four_bits_is_trained_and_merged_in_full(
    tokenizer, examples, tmp_path, monkeypatch
):
    # bitsandbytes has slow kernels for processors: this is real without a GPU too. The fast one of
    # processors with bfloat16 packs weights anew at the first answer: they can learn no more.
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    quantization = four_bits("distillation.student.adapter.kind")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    quantization.bnb_4bit_compute_dtype = torch.float32  # bfloat16 rounds more than 1e-4
    folder = save(tmp_path / "base", build("llama", tokenizer, layers=2, width=64), tokenizer)
    key = "distillation.student.pretrained"
    model = pretrained_model(folder, key, tokenizer, "float32", quantization=quantization)
    batch = collate(examples, tokenizer.pad_token_id)
    adapted = trained(model, examples, tokenizer, tmp_path)
    plain = merged(adapted)
    assert not any("4bit" in type(module).__name__ for module in plain.modules())
    with torch.no_grad():
        learned = answer_logits(adapted, batch)
        torch.testing.assert_close(answer_logits(plain, batch), learned, rtol=0, atol=1e-4)
