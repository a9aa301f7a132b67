"""Pretrained models are whole, or refused by the parameter that named them."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from kd_kedro.models.build import pretrained_model
from kd_kedro.storage.fingerprints import weights_fingerprint
from tests.training.tiny import tiny_model


@pytest.fixture
def folder(tmp_path, model, tokenizer):
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def load(folder, tokenizer):
    return pretrained_model(str(folder), "distillation.teacher.pretrained", tokenizer, "float32")


def change_config(folder, **changed):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changed))


def test_a_whole_folder_is_loaded_as_it_is(folder, model, tokenizer):
    assert weights_fingerprint(load(folder, tokenizer)) == weights_fingerprint(model)


def test_damaged_weights_are_named_by_parameter_and_folder(folder, tokenizer):
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    for damaged in (content[: len(content) // 2], b"no safetensors" * 100):
        weights.write_bytes(damaged)
        with pytest.raises(OSError, match=rf"teacher\.pretrained: .* loaded from '{folder}'"):
            load(folder, tokenizer)


def test_weights_of_another_shape_are_named_by_parameter_and_folder(folder, tokenizer):
    change_config(folder, n_embd=32)
    with pytest.raises(OSError, match=rf"teacher\.pretrained: .* loaded from '{folder}'"):
        load(folder, tokenizer)


def test_missing_weights_are_not_filled_with_random_ones(folder, tokenizer):
    change_config(folder, n_layer=tiny_model(tokenizer).config.n_layer + 1)
    with pytest.raises(ValueError, match=r"lacks 12 of the weights .*transformer\.h\.2\."):
        load(folder, tokenizer)


def test_a_checkpoint_laid_out_as_the_hubs_gpt2_is_whole(folder, model, tokenizer):
    # There, names lack the prefix, the tied head is not stored, and old mask buffers are.
    weights = load_file(folder / "model.safetensors")
    weights = {name.removeprefix("transformer."): weight for name, weight in weights.items()}
    assert "lm_head.weight" not in weights
    weights["h.0.attn.bias"] = torch.ones(1, 1, 128, 128).tril()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert weights_fingerprint(load(folder, tokenizer)) == weights_fingerprint(model)
