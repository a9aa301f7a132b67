"""Models and tokenizers as versioned folders that are whole or refused."""

import json
from dataclasses import replace
from shutil import rmtree

import pytest
import torch
from kedro.io import DatasetError, Version

from kd_kedro.datasets import hf_model
from kd_kedro.datasets.hf_model import HFModelDataset, HFTokenizerDataset
from kd_kedro.models.adapters import add_adapter
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.model_config import AdapterConfig
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.storage.fingerprints import tokenizer_fingerprint, weights_fingerprint
from tests.training.architectures import build
from tests.training.tiny import QUESTIONS, tiny_model

VERSION = "2026-01-01T00.00.00.000Z"


@pytest.fixture(scope="module")
def tokenizer():
    return train_byte_bpe(QUESTIONS, 300)


@pytest.fixture
def language_model(tokenizer):
    return LanguageModel(tiny_model(tokenizer), tokenizer, {"name": "student", "seed": 1})


def dataset(tmp_path, kind=HFModelDataset):
    return kind(filepath=str(tmp_path / "student"), version=Version(None, VERSION))


@pytest.fixture
def folder(tmp_path, language_model):
    dataset(tmp_path).save(language_model)
    return tmp_path / "student" / VERSION / "student"


def test_a_model_comes_back_as_it_was(tmp_path, folder, language_model):
    loaded = dataset(tmp_path).load()
    assert weights_fingerprint(loaded.model) == weights_fingerprint(language_model.model)
    assert tokenizer_fingerprint(loaded.tokenizer) == tokenizer_fingerprint(
        language_model.tokenizer
    )
    assert loaded.card == language_model.card
    assert loaded.parameters == language_model.parameters
    assert not loaded.model.training


def test_the_folder_holds_safetensors_and_no_pickle(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "card.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl", ".pth"))]


def test_others_can_load_it_without_this_project(folder, language_model):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    assert weights_fingerprint(model) == weights_fingerprint(language_model.model)
    text = "Paid rent of ₹ 12,000"
    ids = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    assert ids == language_model.tokenizer(text)["input_ids"]


def test_a_bfloat16_model_stays_one(tmp_path, tokenizer):
    model = tiny_model(tokenizer).to(torch.bfloat16)
    dataset(tmp_path).save(LanguageModel(model, tokenizer))
    assert dataset(tmp_path).load().model.dtype == torch.bfloat16


def test_models_by_name_come_back_by_name(tmp_path, tokenizer):
    models = {
        name: LanguageModel(tiny_model(tokenizer, seed=seed), tokenizer, {"name": name})
        for seed, name in enumerate(["baseline_2", "student_2"])
    }
    dataset(tmp_path).save(models)
    loaded = dataset(tmp_path).load()
    assert list(loaded) == ["baseline_2", "student_2"]
    for name, model in models.items():
        assert weights_fingerprint(loaded[name].model) == weights_fingerprint(model.model)


def test_no_other_seeds_are_an_empty_dict(tmp_path):
    dataset(tmp_path).save({})
    assert dataset(tmp_path).load() == {}
    assert json.loads(dataset(tmp_path).preview()) == {}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_missing_truncated_or_changed_file_is_named(tmp_path, folder, name):
    content = (folder / name).read_bytes()
    for damaged in (content[: len(content) // 2], content[:-1] + b"?"):
        (folder / name).write_bytes(damaged)
        with pytest.raises(Exception, match=rf"student is damaged: {name} is not what was saved"):
            dataset(tmp_path).load()
    (folder / name).unlink()
    with pytest.raises(Exception, match=rf"student is damaged: {name} is missing"):
        dataset(tmp_path).load()


def test_a_folder_without_its_card_is_named(tmp_path, folder):
    (folder / "card.json").write_text("{")
    with pytest.raises(Exception, match=r"damaged: card\.json is missing or no JSON"):
        dataset(tmp_path).load()
    (folder / "card.json").unlink()
    with pytest.raises(Exception, match=r"damaged: card\.json is missing"):
        dataset(tmp_path).load()


def test_a_save_that_fails_leaves_nothing(tmp_path, language_model, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hf_model, "_write_card", full)
    with pytest.raises(Exception, match=r"student could not be written .*No space left"):
        dataset(tmp_path).save(language_model)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not dataset(tmp_path).exists()


def test_a_version_is_never_replaced(tmp_path, folder, language_model):
    with pytest.raises(Exception, match="must not exist"):
        dataset(tmp_path).save(language_model)


def test_kedro_viz_shows_the_card(tmp_path, folder):
    shown = json.loads(dataset(tmp_path).preview())
    assert shown["name"] == "student"
    assert HFModelDataset.preview.__annotations__["return"].__name__ == "JSONPreview"


def test_a_tokenizer_comes_back_as_it_was(tmp_path, tokenizer):
    entry = dataset(tmp_path, HFTokenizerDataset)
    entry.save(tokenizer)
    loaded = dataset(tmp_path, HFTokenizerDataset).load()
    assert tokenizer_fingerprint(loaded) == tokenizer_fingerprint(tokenizer)
    assert loaded("₹ 12")["input_ids"] == tokenizer("₹ 12")["input_ids"]
    assert json.loads(entry.preview())["vocabulary"] == len(tokenizer)
    (tmp_path / "student" / VERSION / "student" / "tokenizer.json").unlink()
    with pytest.raises(Exception, match=r"tokenizer\.json is missing"):
        dataset(tmp_path, HFTokenizerDataset).load()


@pytest.mark.parametrize("kind", ["llama", "t5", "encoder_decoder"])
def test_every_architecture_comes_back_as_it_was(tmp_path, tokenizer, kind):
    model = build(kind, tokenizer, extra=3)
    dataset(tmp_path).save(LanguageModel(model, tokenizer))
    loaded = dataset(tmp_path).load().model
    assert type(loaded) is type(model)
    assert weights_fingerprint(loaded) == weights_fingerprint(model)


def test_an_adapter_comes_back_on_its_base(tmp_path, tokenizer):
    adapted = add_adapter(build("qwen2", tokenizer), AdapterConfig(), seed=1)
    dataset(tmp_path).save(LanguageModel(adapted, tokenizer, {"name": "student"}))
    loaded = dataset(tmp_path).load()
    assert weights_fingerprint(loaded.model) == weights_fingerprint(adapted)
    assert loaded.parameters == sum(weight.numel() for weight in adapted.parameters())
    folder = tmp_path / "student" / VERSION / "student"
    assert (folder / "adapter_model.safetensors").is_file()
    weights = folder / "base" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(Exception, match=r"damaged: base/model\.safetensors is not what was saved"):
        dataset(tmp_path).load()


def test_an_ensemble_lies_in_the_folder_of_its_first_teacher(tmp_path, language_model, tokenizer):
    other = LanguageModel(tiny_model(tokenizer, seed=5), tokenizer, {"name": "b", "share": 0.25})
    dataset(tmp_path).save(replace(language_model, ensemble={"seed_5": other}))
    loaded = dataset(tmp_path).load()
    assert loaded.card == language_model.card
    assert {name: member.card for name, member in loaded.ensemble.items()} == {"seed_5": other.card}
    weights = weights_fingerprint(loaded.ensemble["seed_5"].model)
    assert weights == weights_fingerprint(other.model) != weights_fingerprint(loaded.model)
    rmtree(tmp_path / "student" / VERSION / "student" / "ensemble")
    with pytest.raises(DatasetError, match=r"ensemble/seed_5/.* is missing"):
        dataset(tmp_path).load()
