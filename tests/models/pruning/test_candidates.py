"""Shapes within a budget: how many parameters each has, which are listed, what is refused."""

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from kd_kedro.models.model_config import PruningConfig
from kd_kedro.models.pruning.candidates import (
    MOST,
    candidate_shapes,
    count_parameters,
    random_of_shape,
)
from kd_kedro.models.pruning.prune import check_shape, prune, shape_of
from kd_kedro.models.pruning.shape import Shape
from tests.models.pruning.test_prune import KINDS, SMALL, WHOLE, build

ODD = Shape(1, 12, 3, 24)  # three heads, which pairs that share keys and values cannot have


def outline(kind, layers=3, tied=True):
    """A teacher of 16 hidden channels, 4 heads of 4 channels, 24 neurons, 100 tokens."""
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "vocab_size": 100}
    ids |= {"tie_word_embeddings": tied}
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": layers}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    t5 = {"d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": layers, "num_heads": 4}
    gpt2 = {"n_embd": 16, "n_layer": layers, "n_head": 4, "n_inner": 24, "n_positions": 10}
    with torch.device("meta"):
        return {
            "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**ids, **gpt2)),
            "llama": lambda: LlamaForCausalLM(LlamaConfig(**ids, **sizes, **heads)),
            "phi3": lambda: Phi3ForCausalLM(Phi3Config(**ids, **sizes, **heads)),
            "t5": lambda: T5ForConditionalGeneration(
                T5Config(**ids, **t5, decoder_start_token_id=0)
            ),
        }[kind]()


# Of two layers, 8 hidden channels, 2 heads of 4 channels and 10 neurons. GPT-2: embeddings 880,
# final norm 16, layer 32 + 216 + 72 + 90 + 88. Llama: embeddings 800, final norm 8, layer
# 4 x 64 + 3 x 80 + 16. T5: embeddings 800, positions 2 x 64, final norms 16, layer of the encoder
# 4 x 64 + 2 x 80 + 16, of the decoder 8 x 64 + 2 x 80 + 24.
@pytest.mark.parametrize(
    ("kind", "tied", "expected"),
    [
        ("gpt2", True, 1892),
        ("llama", True, 1832),
        ("llama", False, 2632),
        ("phi3", True, 1832),
        ("t5", True, 3200),
    ],
)
def test_parameters_are_counted_without_making_the_student(kind, tied, expected):
    assert count_parameters(outline(kind, tied=tied))(SMALL) == expected


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_count_is_that_of_the_student_that_is_cut(kind, tied, tokenizer, examples):
    teacher = build(kind, tokenizer, tied).float()
    count = count_parameters(teacher)
    for shape in (WHOLE, SMALL, *([ODD] if kind in ("gpt2", "t5", "t5_gated") else [])):
        student = prune(teacher, shape, examples[:1], tokenizer.pad_token_id)
        twin = random_of_shape(teacher, shape)
        assert shape_of(twin) == shape
        for model in (student, twin):
            assert sum(weight.numel() for weight in model.parameters()) == count(shape)


@pytest.mark.parametrize("share", [0.2, 0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("kind", ["gpt2", "llama", "t5"])
def test_candidates_use_the_budget_up_from_below(kind, share):
    teacher = outline(kind, layers=12)
    count, present = count_parameters(teacher), shape_of(teacher)

    def cost(shape):
        return count(shape) / count(present)

    found = candidate_shapes(teacher, PruningConfig(parameters=share), cost)
    depths = [shape.num_hidden_layers for shape in found]
    assert depths == sorted(set(depths))
    assert 1 <= len(found) <= MOST
    assert depths[-1] == 12 or share < 0.3  # narrow enough for all layers, where that is possible
    for shape in found:
        check_shape(teacher, shape)
        more = shape._replace(intermediate_size=shape.intermediate_size + 1)
        full = shape.intermediate_size == present.intermediate_size
        assert cost(shape) <= share
        assert full or cost(more) > share
    # What has the teacher's width and room for a further layer is listed with that layer.
    assert all(
        cost(shape._replace(num_hidden_layers=shape.num_hidden_layers + 1)) > share
        for shape in found
        if shape[1:] == present[1:] and share < 1
    )
    if share == 1:
        assert found == [present]


def test_deep_and_narrow_stands_beside_flat_and_wide():
    teacher = outline("llama", layers=12)
    count = count_parameters(teacher)
    whole = count(shape_of(teacher))
    found = candidate_shapes(
        teacher, PruningConfig(parameters=0.5), lambda shape: count(shape) / whole
    )
    assert len(found) == MOST
    widths = [shape.hidden_size for shape in found]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] == 16 > widths[-1]


def test_a_budget_that_no_shape_meets_is_refused_with_what_the_smallest_has():
    teacher = outline("gpt2")
    count = count_parameters(teacher)
    whole = count(shape_of(teacher))
    message = (
        r"from_teacher\.parameters is 0\.01, but the smallest shape that can be cut out of the "
        r"teacher \(1 layers, 4 hidden channels, 1 heads, 1 neurons\) has 0\.073 of its "
        "parameters: give more than that"
    )
    with pytest.raises(ValueError, match=message):
        candidate_shapes(teacher, PruningConfig(parameters=0.01), lambda s: count(s) / whole)
