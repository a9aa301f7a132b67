"""A cut that removes nothing, or only what is never said, says what the teacher says."""

import copy

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from kd_kedro.models.encoding import collate
from kd_kedro.models.modes import decoder_start
from kd_kedro.models.pruning.architectures import (
    GATES_NEURONS,
    HEAD,
    HEADS,
    HIDDEN,
    NEURONS,
    QKV,
    axes_of,
    norms_read,
)
from kd_kedro.models.pruning.prune import check_shape, prune, pruned_shape, shape_of
from kd_kedro.models.pruning.shape import Shape
from tests.training import architectures

KINDS = ["gpt2", "llama", "mistral", "phi3", "qwen2", "qwen3", "t5", "t5_gated"]
WHOLE = Shape(3, 16, 4, 24)
SMALL = Shape(2, 8, 2, 10)
CHANNELS = 4


def build(kind, tokenizer, tied=True):
    """A teacher of 3 layers, 16 hidden channels, 4 heads of 4 channels, 24 neurons."""
    ids = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": tied,
        "initializer_range": 0.4,
    }
    sizes = {
        "hidden_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 128,
    }
    t5 = {
        "d_model": 16,
        "d_kv": 4,
        "d_ff": 24,
        "num_layers": 3,
        "num_heads": 4,
        "dropout_rate": 0.0,
        "decoder_start_token_id": tokenizer.pad_token_id,
    }
    gpt2 = {"n_embd": 16, "n_layer": 3, "n_head": 4, "n_inner": 24, "n_positions": 128}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = {
            "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**ids, **gpt2)),
            "llama": lambda: LlamaForCausalLM(LlamaConfig(**ids, **sizes)),
            "mistral": lambda: MistralForCausalLM(MistralConfig(**ids, **sizes)),
            "phi3": lambda: Phi3ForCausalLM(Phi3Config(**ids, **sizes)),
            "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**ids, **sizes)),
            "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**ids, **sizes, head_dim=4)),
            "t5": lambda: T5ForConditionalGeneration(T5Config(**ids, **t5)),
            "t5_gated": lambda: T5ForConditionalGeneration(
                T5Config(**ids, **t5, feed_forward_proj="gated-gelu")
            ),
        }[kind]()
        if kind == "t5_gated" and not tied:  # as FLAN-T5's, of which its config.json says nothing
            model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
        for weight in model.parameters():  # no weight is 0 or 1, so that a mistake shows
            weight.data += 0.3 * torch.randn_like(weight)
    return model.double().eval()


def logits(model, rows, padding):
    batch = collate(rows, padding, decoder_start(model))
    inputs = {"input_ids": batch.input_ids}
    if batch.encoder_ids is not None:
        inputs = {
            "input_ids": batch.encoder_ids,
            "attention_mask": batch.encoder_mask,
            "decoder_input_ids": batch.input_ids,
        }
    with torch.no_grad():
        return model(**inputs).logits


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_that_removes_nothing_changes_nothing(kind, tied, tokenizer, examples):
    model = build(kind, tokenizer, tied)
    assert shape_of(model) == WHOLE
    student = prune(model, WHOLE, examples[:2], tokenizer.pad_token_id)
    given, made = model.float().state_dict(), student.state_dict()
    assert given.keys() == made.keys()
    assert all(torch.equal(given[name], made[name]) for name in given)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_never_said_can_go(kind, tied, tokenizer, examples, monkeypatch):
    """Each second head and neuron is silent and hidden states lie in half of the dimensions.

    The dimensions are none of the channels; without the other half the logits are equal.
    """
    # Norms compute in float32 whatever they are given.
    monkeypatch.setattr(torch, "float32", torch.float64)
    monkeypatch.setattr(torch.nn.Module, "float", lambda module: module.double())
    model = build(kind, tokenizer, tied)
    silence(model)
    flatten(model, 8, tied)
    expected = logits(model, examples, tokenizer.pad_token_id)
    shape = Shape(3, 8, 2, 12)
    student = prune(model, shape, examples, tokenizer.pad_token_id)
    assert shape_of(student) == shape
    found = logits(student, examples, tokenizer.pad_token_id)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def silence(model):
    for name, axes in axes_of(model).items():
        weight = model.get_parameter(name).data
        for dimension, axis in enumerate(axes):
            odd = torch.arange(weight.shape[dimension])
            if axis.kind in (NEURONS, GATES_NEURONS):
                odd = odd % 2 == 1
            elif axis.kind in (HEADS, QKV):  # heads 1 and 3: of each group one
                queries = len(odd) if model.config.model_type == "gpt2" else 4 * CHANNELS
                odd = (odd // CHANNELS % 2 == 1) & (odd < queries)
            else:
                continue
            weight.index_fill_(dimension, odd.nonzero()[:, 0], 0.0)


def flatten(model, dimensions, tied):
    """Project all that writes hidden channels onto a few dimensions.

    LayerNorm takes the mean off its channels, so that their sum may be one more dimension for one
    fewer of the others. GPT-2's last norm keeps its weights, which are made alike, and what its
    bias says outside of the dimensions, which is taken away.
    """
    plane = torch.randn(16, dimensions, generator=torch.Generator().manual_seed(1)).double()
    if centred := isinstance(model, GPT2LMHeadModel):
        plane[:, 0] = 1.0
        plane[:, 1:] -= plane[:, 1:].mean(0)
    plane = torch.linalg.qr(plane)[0]
    readers = norms_read(model).keys() - ({HEAD} if tied else set())
    for name, axes in axes_of(model).items():
        weight = model.get_parameter(name).data
        kinds = [axis.kind for axis in axes]
        if HIDDEN in kinds and name not in readers and "norm" not in name and "ln_" not in name:
            along = weight.movedim(kinds.index(HIDDEN), -1)
            along.copy_(along @ plane @ plane.T)
    if centred:
        last = model.transformer.ln_f
        last.weight.data.fill_(1.7)
        last.bias.data = plane[:, 1:] @ plane[:, 1:].T @ last.bias.data


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_student_is_a_plain_model_that_can_be_saved(kind, tokenizer, examples, tmp_path):
    model = build(kind, tokenizer).float()
    before = copy.deepcopy(model.state_dict())
    student = prune(model, SMALL, examples[:2], tokenizer.pad_token_id)
    assert shape_of(student) == SMALL
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())
    student.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    expected = logits(student, examples, tokenizer.pad_token_id)
    torch.testing.assert_close(logits(again, examples, tokenizer.pad_token_id), expected)
    twin = pruned_shape(student, SMALL, seed=1)
    assert {n: w.shape for n, w in twin.state_dict().items()} == {
        n: w.shape for n, w in student.state_dict().items()
    }


@pytest.mark.parametrize(
    ("kind", "shape", "message"),
    [
        ("llama", Shape(4, 16, 4, 24), "num_hidden_layers: 4 is more than the teacher's 3"),
        ("qwen2", Shape(3, 17, 4, 24), "hidden_size: 17 is more than the teacher's 16"),
        ("t5", Shape(3, 16, 5, 24), "num_attention_heads: 5 is more than the teacher's 4"),
        ("gpt2", Shape(3, 16, 4, 25), "intermediate_size: 25 is more than the teacher's 24"),
        ("gpt2", Shape(3, 12, 4, 24), "hidden_size: 4 heads of the teacher's 4 .* make 16, not 12"),
        ("phi3", Shape(3, 12, 4, 24), "hidden_size: 4 heads of the teacher's 4 .* make 16, not 12"),
        ("llama", Shape(3, 16, 3, 24), "num_attention_heads: 3 heads cannot share .* at most 2"),
    ],
)
def test_a_shape_that_is_not_in_the_teacher_is_refused(kind, shape, message, tokenizer):
    with pytest.raises(ValueError, match=rf"student\.from_teacher\.{message}"):
        check_shape(build(kind, tokenizer), shape)


def test_an_architecture_that_cannot_be_cut_is_refused_by_name(tokenizer):
    model = architectures.build("phi", tokenizer)
    with pytest.raises(ValueError, match=r"from_teacher: a PhiForCausalLM cannot be cut; those"):
        shape_of(model)


def test_without_calibration_rows_nothing_is_cut(tokenizer):
    with pytest.raises(ValueError, match=r"from_teacher: there are no calibration rows"):
        prune(build("gpt2", tokenizer), SMALL, [], tokenizer.pad_token_id)


def test_the_most_important_units_stay(tokenizer, examples):
    """One of the heads 2 and 3, the neurons 5 and 7 and layer 1 are made to say most."""
    model = build("llama", tokenizer).float()
    for layer in model.model.layers:
        layer.self_attn.v_proj.weight.data[4:8] *= 30  # the second pair of heads: 2 and 3
        layer.self_attn.o_proj.weight.data *= 0.1
        layer.mlp.up_proj.weight.data[[5, 7]] *= 50
    for quiet in (model.model.layers[0], model.model.layers[2]):
        quiet.mlp.down_proj.weight.data *= 1e-3
        quiet.self_attn.o_proj.weight.data *= 1e-3
    student = prune(model, Shape(1, 16, 1, 2), examples, tokenizer.pad_token_id)
    kept, layer = student.model.layers[0], model.model.layers[1]
    assert torch.equal(kept.self_attn.v_proj.weight, layer.self_attn.v_proj.weight[4:8])
    assert torch.equal(kept.mlp.up_proj.weight, layer.mlp.up_proj.weight[[5, 7]])


def test_heads_and_neurons_that_stay_say_what_the_others_said(tokenizer, examples):
    """Neuron 4 says half of what neuron 5 says, and head 1 what head 0 says."""
    model = build("llama", tokenizer)
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        attention.q_proj.weight.data[4:8] = attention.q_proj.weight.data[:4]
        attention.v_proj.weight.data[4:] = 0.0  # heads 2 and 3 are silent
        mlp.gate_proj.weight.data[4] = mlp.gate_proj.weight.data[5]
        mlp.up_proj.weight.data[4] = 0.5 * mlp.up_proj.weight.data[5]
        mlp.up_proj.weight.data[[*range(4), *range(6, 24)]] = 0.0
    expected = logits(model, examples, tokenizer.pad_token_id)
    student = prune(model, Shape(3, 16, 1, 1), examples[:3], tokenizer.pad_token_id)
    found = logits(student, examples, tokenizer.pad_token_id)
    assert (found - expected).norm() < 1e-2 * expected.norm()


def test_the_same_teacher_gives_the_same_student(tokenizer, examples):
    model = build("gpt2", tokenizer)
    first, second = (
        prune(model, SMALL, examples, tokenizer.pad_token_id).state_dict() for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
