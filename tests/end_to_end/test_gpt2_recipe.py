"""GPT-2 Large -> DistilGPT-2 offline: the recipe of conf/gpt2 with nothing but names replaced.

The two folders have the architectures of the hub's models with random weights; hub names become
folder names by parameters, and the budget is cut so that it ends in a minute. No code differs.
"""

import json

import pytest
from kedro.config import OmegaConfigLoader

from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.reporting.params import ReportParams
from kd_kedro.training.teacher.store import teachers_fingerprint
from tests.pipelines.distillation.recipe import CONF, parameters, run
from tests.pipelines.distillation.toy import augmented_qa

VOCABULARY = 50_257
LARGE = {"n_layer": 36, "n_embd": 1280, "n_head": 20}
DISTIL = {"n_layer": 6, "n_embd": 768, "n_head": 12}


@pytest.fixture(scope="module")
def table():
    return augmented_qa(14, seed=2)


@pytest.fixture(scope="module")
def names(tmp_path_factory, table):
    """Folders of a teacher and a student with their tokenizer, as a download leaves them."""
    root = tmp_path_factory.mktemp("hub")
    tokenizer = _tokenizer(table)
    for name, shape in {"large": LARGE, "distil": DISTIL}.items():
        _random_gpt2(shape, tokenizer.eos_token_id).save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    return {name: str(root / name) for name in ("large", "distil")}


def test_the_defaults_are_those_of_document_000():
    values = parameters("gpt2")
    training = values["params:distillation.training"]
    objective = values["params:distillation.objective"]
    assert values["params:distillation.teacher"].pretrained == "openai-community/gpt2-large"
    assert values["params:distillation.student"].pretrained == "distilbert/distilgpt2"
    assert (objective.alpha, objective.beta) == (0.466, 0.208)
    assert objective.temperature_squared is False
    assert objective.temperature == 0.7
    assert values["params:distillation.targets"].temperatures == (0.7,)
    assert training.learning_rate == 6.8e-5
    assert training.batch_size * training.gradient_accumulation_steps == 32 * 8
    assert (training.patience, training.precision) == (4, "bf16")
    teacher = values["params:distillation.teacher"].training
    assert (teacher.epochs, teacher.num_evaluations) == (3, 6)
    assert (teacher.batch_size, teacher.patience, teacher.precision) == (32, 4, "bf16")


def test_the_report_names_the_licences_of_these_models():
    loader = OmegaConfigLoader(str(CONF), env="gpt2", base_env="base", default_run_env="local")
    loader.merge_strategy = {"parameters": "soft"}
    report = ReportParams.model_validate(loader["parameters"]["reporting"])
    assert "GPT-2 Large" in report.licences.teacher
    assert "DistilGPT-2" in report.licences.student


@pytest.mark.slow
def test_large_becomes_distil_through_the_same_nodes(names, table, tmp_path):
    changed = {
        "tokenizer": {"pretrained": names["large"]},
        "teacher": {"pretrained": names["large"], "dtype": "bfloat16", "fine_tune": False},
        "student": {"pretrained": names["distil"]},
        "examples": {"styles": ["original"], "validation_rows": 2},
        "targets": {"batch_size": 8},
        "training": {"batch_size": 4, "gradient_accumulation_steps": 2, "max_steps": 1},
        "seeds": {"count": 1},
    }
    catalog = run(table, tmp_path, env="gpt2", changed=changed)
    teacher, student = catalog.load("teacher"), catalog.load("student")
    assert teacher.parameters == 774_030_080
    assert student.parameters == catalog.load("baseline_student").parameters == 81_912_576
    assert round(100 * (1 - student.parameters / teacher.parameters), 1) == 89.4
    manifest = catalog.load("teacher_targets").manifest
    assert (manifest["vocabulary"], manifest["bytes_per_token"]) == (VOCABULARY, 32)
    assert manifest["teacher"] == teachers_fingerprint([(teacher, 1.0)])
    first = next(record for record in catalog.load("student_history") if "loss" in record)
    # No T^2: what is added to the cross-entropy is beta times the divergence as it is.
    total = 0.466 * first["cross_entropy"] + 0.208 * first["divergence"]
    assert first["loss"] == pytest.approx(total, rel=1e-3)


def _tokenizer(table):
    """Return a tokenizer with as many ids as GPT-2's, most of them never used, and no padding."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    trained = train_byte_bpe([*table["question"], *table["answer"]], 300)
    content = json.loads(trained.backend_tokenizer.to_str())
    vocabulary = content["model"]["vocab"]
    vocabulary |= {f"made up {number}": number for number in range(len(trained), VOCABULARY)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)), eos_token=trained.eos_token
    )
    assert len(tokenizer) == VOCABULARY
    return tokenizer


def _random_gpt2(shape, end):
    """Return a GPT-2 of random bfloat16 weights, made without the minute its own init takes."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=VOCABULARY, bos_token_id=end, eos_token_id=end, **shape)
    with torch.device("meta"):
        model = GPT2LMHeadModel(config).to(torch.bfloat16)
    model.to_empty(device="cpu")
    block = torch.randn(1_000_003, generator=torch.Generator().manual_seed(0)).bfloat16() * 0.02
    for name, weight in model.named_parameters():
        if weight.ndim == 2:
            repeats = weight.numel() // len(block) + 1
            weight.data.copy_(block.repeat(repeats)[: weight.numel()].view_as(weight))
        else:
            weight.data.fill_(float("ln" in name and name.endswith("weight")))
    model.tie_weights()
    return model
