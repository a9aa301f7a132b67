"""The recipes of models that people have, offline: their architectures, tokenizers, chats, small.

Hub names become folder names and budgets a few steps; nothing else of conf/ is changed. Sizes and
options are those of the hub's config.json, of which each test makes its models, whole ones on the
meta device and small ones with random weights.
"""

import re
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    T5Config,
)

from benchmarks.tokenizer_families import family_tokenizer
from kd_kedro.datasets.hf_model import HFModelDataset
from kd_kedro.inference.generate import generate_answers
from kd_kedro.models.adapters import is_adapted
from kd_kedro.models.layer_copying import shortened
from kd_kedro.pipelines.distillation.groups import DistillationParams
from kd_kedro.pipelines.distillation.preflight import check_models
from kd_kedro.pipelines.merging.nodes import merge_student
from tests.pipelines.distillation.recipe import CONF, run, whole
from tests.pipelines.distillation.toy import augmented_qa
from tests.training.architectures import save

TABLE = augmented_qa(14, seed=2)
QUESTION = TABLE["question"][0]
TEXTS = [*TABLE["question"], *TABLE["answer"], "system user assistant"]


@dataclass(frozen=True)
class Recipe:
    """What the hub has under the names of a recipe.

    Attributes:
        config: Class of their configurations.
        family: Family of their tokenizer.
        shared: What teacher and student have in common.
        teacher: Sizes of the teacher.
        student: Sizes of the student; none where it is cut out of the teacher.
        small: What becomes of the sizes here.
        layers: Layers of the student, small and whole.
        counts: Parameters of teacher and student.
        fine_tuned: Whether the teacher learns the sheet.
    """

    config: Any
    family: str
    shared: dict[str, Any]
    teacher: dict[str, Any]
    student: dict[str, Any]
    small: dict[str, Any]
    layers: tuple[int, int]
    counts: tuple[int, int]
    fine_tuned: bool = False


def _sizes(layers, width, inner, heads, groups, **more):
    return {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        **more,
    }


def _rope(kind, **more):
    return {"rope_parameters": {"rope_type": kind, **more}}


LLAMA3 = {
    "factor": 32.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192,
    "rope_theta": 500_000.0,
}
T5 = {"d_kv": 64, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}


def _t5(layers, width, inner, heads):
    return {"num_layers": layers, "d_model": width, "d_ff": inner, "num_heads": heads}


def _long_rope(channels):
    factors = [1.0 + 0.1 * place for place in range(channels // 2)]
    return _rope("longrope", rope_theta=1e4, short_factor=factors, long_factor=factors)


RECIPES = {
    "qwen": Recipe(
        Qwen2Config,
        "qwen2",
        {"vocab_size": 151_936, "tie_word_embeddings": True, "max_position_embeddings": 32_768},
        _sizes(28, 1536, 8960, 12, 2),
        _sizes(24, 896, 4864, 14, 2),
        _sizes(3, 48, 64, 6, 2),
        (3, 24),
        (1_543_714_304, 494_032_768),
        fine_tuned=True,
    ),
    "llama": Recipe(
        LlamaConfig,
        "llama3",
        {
            "vocab_size": 128_256,
            "tie_word_embeddings": True,
            "max_position_embeddings": 131_072,
            **_rope("llama3", **LLAMA3),
        },
        _sizes(28, 3072, 8192, 24, 8, head_dim=128),
        _sizes(16, 2048, 8192, 32, 8, head_dim=64),
        _sizes(3, 48, 64, 6, 2, head_dim=16),
        (3, 16),
        (3_212_749_824, 1_235_814_400),
    ),
    "mistral": Recipe(
        MistralConfig,
        "mistral",
        {
            "vocab_size": 32_768,
            "tie_word_embeddings": False,
            "max_position_embeddings": 32_768,
            "sliding_window": None,
        },
        _sizes(32, 4096, 14_336, 32, 8),
        {},
        _sizes(10, 32, 48, 4, 2),
        (8, 8),
        (7_248_023_552, 2_013_335_552),
    ),
    "phi3": Recipe(
        Phi3Config,
        "phi3",
        {
            "vocab_size": 32_064,
            "tie_word_embeddings": False,
            "max_position_embeddings": 131_072,
            "original_max_position_embeddings": 4096,
            "sliding_window": 262_144,
            "pad_token_id": 0,
        },
        _sizes(32, 3072, 8192, 32, 32, **_long_rope(96)),
        {},
        _sizes(14, 32, 48, 4, 4, **_long_rope(8)),
        (12, 12),
        (3_821_079_552, 1_556_032_512),
    ),
    "flan_t5": Recipe(
        T5Config,
        "t5",
        {"vocab_size": 32_128, **T5},
        _t5(24, 1024, 2816, 16),
        _t5(8, 512, 1024, 6),
        {**_t5(2, 32, 48, 3), "d_kv": 16},
        (2, 8),
        (783_150_080, 76_961_152),
        fine_tuned=True,
    ),
}


@pytest.fixture(scope="module", params=RECIPES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def recipe(name):
    return RECIPES[name]


@pytest.fixture(scope="module")
def tokenizer(recipe):
    made = family_tokenizer(recipe.family, TEXTS)
    if recipe.family in ("llama3", "mistral"):  # have no token for padding
        made.pad_token = None
    if recipe.family == "phi3":  # ends a conversation that asks for nothing
        asking = "{% endif %}"
        head, _, tail = made.chat_template.rpartition(asking)
        made.chat_template = f"{head}{{% else %}}{{{{ eos_token }}}}{asking}{tail}"
    return made


def test_the_models_of_the_hub_pass_every_check_before_the_run(name, recipe, tokenizer, tmp_path):
    whole_sizes = {"teacher": recipe.teacher, "student": recipe.student or recipe.teacher}
    found = []
    for who, sizes in whole_sizes.items():
        config = recipe.config(**recipe.shared | sizes)
        config.save_pretrained(tmp_path / who)
        tokenizer.save_pretrained(tmp_path / who)
        layers = range(config.num_hidden_layers if recipe.student else recipe.layers[1])
        found.append(_count(config if who == "teacher" else shortened(config, layers)))
    assert tuple(found) == recipe.counts
    values = whole(name, _named(name, recipe, tmp_path))
    check_models(DistillationParams.model_validate(values))
    text = (CONF / name / "distillation" / "parameters.yml").read_text(encoding="utf-8")
    assert all(f"{count:,}" in text for count in recipe.counts)


def test_a_recipe_names_models_and_their_licences_and_leaves_the_task_alone(name):
    files = [file.relative_to(CONF / name) for file in (CONF / name).rglob("*.yml")]
    assert sorted(map(str, files)) == ["distillation/parameters.yml", "reporting/parameters.yml"]
    report = (CONF / name / "reporting" / "parameters.yml").read_text(encoding="utf-8")
    assert re.search(r'teacher: ".*(Apache-2\.0|MIT|License).*"\n *student: "', report)
    values = whole(name)
    assert (values["controls"]["teacher_seed"], values["seeds"]["workers"]) == (None, 1)


def test_what_comes_of_a_recipe_is_asked_in_plain_transformers(name, recipe, tokenizer, tmp_path):
    for seed, who in enumerate(["teacher", "student"]):
        save(tmp_path / who, _small(recipe, tokenizer, seed), tokenizer)
    few = {"batch_size": 4, "max_steps": 2, "num_evaluations": 1}
    changed = {
        **_named(name, recipe, tmp_path),
        "training": few,
        "seeds": {"count": 1},
    }
    changed["examples"] = {"max_augmented_rows": 2, "validation_rows": 2}
    changed["controls"] = {"cut_untaught": False}
    catalog = run(TABLE, tmp_path, env=name, changed=changed)
    teacher, student = catalog.load("teacher"), catalog.load("student")
    assert _moved(tmp_path / "teacher", teacher.model) == recipe.fine_tuned
    assert student.card["layers"] == recipe.layers[0]
    first = catalog.load("student_history")[0]
    assert first["divergence"] > 0
    assert ("hidden" in first) == (not recipe.student)
    assert is_adapted(student.model) == (name == "llama")
    plain = merge_student(student) if is_adapted(student.model) else student
    HFModelDataset(filepath=str(tmp_path / "saved")).save(plain)
    said = generate_answers(student, [QUESTION], max_new_tokens=8, batch_size=1)
    assert _asked_plainly(tmp_path / "saved", QUESTION) == said[0]


def _named(name, recipe, root):
    """Return the parameters that name local folders, as the docs say."""
    folders = {who: {"pretrained": str(root / who)} for who in ("teacher", "student")}
    named = {"tokenizer": folders["teacher"], "teacher": folders["teacher"]}
    return named | ({"student": folders["student"]} if recipe.student else {})


def _small(recipe, tokenizer, seed):
    """Return a small model of random weights, with more embeddings than the tokenizer has ids."""
    ids = {"vocab_size": len(tokenizer) + 3, "eos_token_id": tokenizer.eos_token_id}
    ids["initializer_range"] = 0.2  # so that they say something
    start = {"decoder_start_token_id": tokenizer.pad_token_id} if recipe.family == "t5" else {}
    config = recipe.config(**recipe.shared | recipe.small | ids | start)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _kind(config).from_config(config)
        if config.is_encoder_decoder:  # the head of FLAN-T5 is none of its embeddings
            rows = torch.randn_like(model.lm_head.weight)
            model.lm_head.weight = torch.nn.Parameter(rows)
    return model.eval()


def _kind(config):
    return AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM


def _count(config):
    """Return the parameters of a model, with FLAN-T5's head, of which config.json says nothing."""
    with torch.device("meta"):
        model = _kind(config).from_config(config)
    apart = config.vocab_size * config.d_model if config.is_encoder_decoder else 0
    return sum(weight.numel() for weight in model.parameters()) + apart


def _moved(folder, model):
    given = type(model).from_pretrained(folder).float().state_dict()
    return any(not torch.equal(given[key], own.float()) for key, own in model.state_dict().items())


def _asked_plainly(folder, question):
    """Return what a folder answers whoever knows nothing of this project."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    asked = [{"role": "user", "content": question}]
    text = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    config = AutoConfig.from_pretrained(folder)
    # A chat template writes what stands before a text, and after it what an encoder reads there.
    given = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    model = _kind(config).from_pretrained(folder)
    read = {key: given[key] for key in ("input_ids", "attention_mask")}
    written = model.generate(**read, max_new_tokens=8)[0]
    behind = 0 if config.is_encoder_decoder else given["input_ids"].shape[1]
    return tokenizer.decode(written[behind:], skip_special_tokens=True).strip()
