"""Which weights of an architecture hold a hidden channel, an attention head or a neuron.

Every weight is named with what its dimensions run over. Hidden channels run through the whole
model; an axis of attention or of a feed-forward layer belongs to one module, and carries its name.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

HIDDEN = "hidden"
HEADS = "heads"  # channels of the query heads, head by head
KEY_VALUES = "key_values"  # channels of the heads of keys and values, head by head
QKV = "queries_keys_values"  # of one product: the three behind one another
NEURONS = "neurons"
GATES_NEURONS = "gates_neurons"  # of one product: the gates of all neurons, then the neurons
HEAD_NUMBERS = "head_numbers"  # one entry a head
WHOLE = "whole"  # never cut: vocabulary, positions, channels within a head

Rules = list[tuple[re.Pattern[str], tuple[str, ...]]]
HEAD = "lm_head.weight"


class Axis(NamedTuple):
    """What a dimension of a weight runs over.

    Attributes:
        kind: One of the names above.
        module: The module it belongs to; "" where it runs through the whole model.
    """

    kind: str
    module: str = ""


class Architecture(NamedTuple):
    """How models of a class are made of their configuration.

    Attributes:
        rules: Patterns of weight names with the kinds of their dimensions; a group `module` names
            what an axis belongs to.
        readers: Patterns of names of weights that are multiplied by what a norm says, with the
            name of that norm, in which groups of the pattern may stand.
        sizes: Names in the configuration of hidden size, query heads and neurons.
        tied_width: Whether the heads fill the hidden size exactly.
    """

    rules: Rules
    readers: Mapping[str, str]
    sizes: tuple[str, str, str]
    tied_width: bool = False


def _rules(written: Mapping[str, str]) -> Rules:
    return [(re.compile(pattern), tuple(kinds.split())) for pattern, kinds in written.items()]


_GPT2 = Architecture(
    _rules(
        {
            r".*wte\.weight|.*wpe\.weight|lm_head\.weight": f"{WHOLE} {HIDDEN}",
            r".*ln_\w+\.(?:weight|bias)|.*c_proj\.bias": HIDDEN,
            r"(?P<module>.*attn)\.c_attn\.weight": f"{HIDDEN} {QKV}",
            r"(?P<module>.*attn)\.c_attn\.bias": QKV,
            r"(?P<module>.*attn)\.c_proj\.weight": f"{HEADS} {HIDDEN}",
            r"(?P<module>.*mlp)\.c_fc\.weight": f"{HIDDEN} {NEURONS}",
            r"(?P<module>.*mlp)\.c_fc\.bias": NEURONS,
            r"(?P<module>.*mlp)\.c_proj\.weight": f"{NEURONS} {HIDDEN}",
        }
    ),
    {
        r"(.*\.)attn\.c_attn\.weight": r"\1ln_1",
        r"(.*\.)mlp\.c_fc\.weight": r"\1ln_2",
        HEAD: "transformer.ln_f",
    },
    ("n_embd", "n_head", "n_inner"),
    tied_width=True,
)
_LLAMA = Architecture(
    _rules(
        {
            r".*embed_tokens\.weight|lm_head\.weight": f"{WHOLE} {HIDDEN}",
            r".*\.[qk]_norm\.weight": WHOLE,
            r".*norm\.weight|.*(?:o|down)_proj\.bias": HIDDEN,
            r"(?P<module>.*self_attn)\.q_proj\.weight": f"{HEADS} {HIDDEN}",
            r"(?P<module>.*self_attn)\.q_proj\.bias": HEADS,
            r"(?P<module>.*self_attn)\.[kv]_proj\.weight": f"{KEY_VALUES} {HIDDEN}",
            r"(?P<module>.*self_attn)\.[kv]_proj\.bias": KEY_VALUES,
            r"(?P<module>.*self_attn)\.o_proj\.weight": f"{HIDDEN} {HEADS}",
            r"(?P<module>.*mlp)\.(?:gate|up)_proj\.weight": f"{NEURONS} {HIDDEN}",
            r"(?P<module>.*mlp)\.(?:gate|up)_proj\.bias": NEURONS,
            r"(?P<module>.*mlp)\.down_proj\.weight": f"{HIDDEN} {NEURONS}",
        }
    ),
    {
        r"(.*\.)self_attn\.[qkv]_proj\.weight": r"\1input_layernorm",
        r"(.*\.)mlp\.(?:gate|up)_proj\.weight": r"\1post_attention_layernorm",
        HEAD: "model.norm",
    },
    ("hidden_size", "num_attention_heads", "intermediate_size"),
)
# The products of queries, keys and values, and of gates and neurons, are one each.
_PHI3 = Architecture(
    _rules(
        {
            r".*embed_tokens\.weight|lm_head\.weight": f"{WHOLE} {HIDDEN}",
            r".*norm\.weight": HIDDEN,
            r"(?P<module>.*self_attn)\.qkv_proj\.weight": f"{QKV} {HIDDEN}",
            r"(?P<module>.*self_attn)\.o_proj\.weight": f"{HIDDEN} {HEADS}",
            r"(?P<module>.*mlp)\.gate_up_proj\.weight": f"{GATES_NEURONS} {HIDDEN}",
            r"(?P<module>.*mlp)\.down_proj\.weight": f"{HIDDEN} {NEURONS}",
        }
    ),
    {
        r"(.*\.)self_attn\.qkv_proj\.weight": r"\1input_layernorm",
        r"(.*\.)mlp\.gate_up_proj\.weight": r"\1post_attention_layernorm",
        HEAD: "model.norm",
    },
    _LLAMA.sizes,
    tied_width=True,  # its configuration checks the scaling of positions against width by heads
)
# All layers of a stack share the positions that its first layer holds, head by head, and with
# them the choice of heads.
_STACK = r"(?P<module>encoder|decoder)\.block\.\d+\.layer\.0\.SelfAttention"
_CROSS = r"(?P<module>decoder\.block\.\d+\.layer\.1\.EncDecAttention)"
_T5 = Architecture(
    _rules(
        {
            r"shared\.weight|.*embed_tokens\.weight|lm_head\.weight": f"{WHOLE} {HIDDEN}",
            r".*layer_norm\.weight": HIDDEN,
            rf"{_STACK}\.[qkv]\.weight": f"{HEADS} {HIDDEN}",
            rf"{_CROSS}\.[qkv]\.weight": f"{HEADS} {HIDDEN}",
            rf"{_STACK}\.o\.weight": f"{HIDDEN} {HEADS}",
            rf"{_CROSS}\.o\.weight": f"{HIDDEN} {HEADS}",
            rf"{_STACK}\.relative_attention_bias\.weight": f"{WHOLE} {HEAD_NUMBERS}",
            r"(?P<module>.*DenseReluDense)\.wi\w*\.weight": f"{NEURONS} {HIDDEN}",
            r"(?P<module>.*DenseReluDense)\.wo\.weight": f"{HIDDEN} {NEURONS}",
        }
    ),
    {
        r"(.*\.)(?:SelfAttention\.[qkv]|EncDecAttention\.q)\.weight": r"\1layer_norm",
        r"(.*\.)DenseReluDense\.wi\w*\.weight": r"\1layer_norm",
        r".*\.EncDecAttention\.[kv]\.weight": "encoder.final_layer_norm",
        HEAD: "decoder.final_layer_norm",
    },
    ("d_model", "num_heads", "d_ff"),
)
ARCHITECTURES = {
    "GPT2LMHeadModel": _GPT2,
    "LlamaForCausalLM": _LLAMA,
    "MistralForCausalLM": _LLAMA,
    "Phi3ForCausalLM": _PHI3,
    "Qwen2ForCausalLM": _LLAMA,
    "Qwen3ForCausalLM": _LLAMA,
    "T5ForConditionalGeneration": _T5,
    "MT5ForConditionalGeneration": _T5,
}


def architecture_of(model: Any) -> Architecture:
    """Return how a model's class is made.

    Raises:
        ValueError: No model of its class can be cut.
    """
    name = type(model).__name__
    if name not in ARCHITECTURES:
        raise ValueError(
            f"distillation.student.from_teacher: a {name} cannot be cut; those that can are "
            f"{', '.join(sorted(ARCHITECTURES))}: set it to null and give "
            "student.architecture or student.pretrained"
        )
    return ARCHITECTURES[name]


def axes_of(model: Any) -> dict[str, tuple[Axis, ...]]:
    """Return by name of each weight what its dimensions run over.

    Raises:
        ValueError: No model of its class can be cut, or it has a weight that its class should not
            have.
    """
    rules = architecture_of(model).rules
    return {name: _axes(name, rules, type(model).__name__) for name in model.state_dict()}


def norms_read(model: Any) -> dict[str, str]:
    """Return by name of each weight that is multiplied by what a norm says the norm's name."""
    readers = architecture_of(model).readers
    return {
        name: found.expand(norm)
        for name in model.state_dict()
        for pattern, norm in readers.items()
        if (found := re.fullmatch(pattern, name))
    }


def _axes(name: str, rules: Rules, kind: str) -> tuple[Axis, ...]:
    for pattern, kinds in rules:
        if found := pattern.fullmatch(name):
            module = found.groupdict().get("module") or ""
            return tuple(Axis(kind, "" if kind in (HIDDEN, WHOLE) else module) for kind in kinds)
    raise ValueError(
        f"distillation.student.from_teacher: this {kind} has a weight {name} that cutting knows "
        "nothing of; set from_teacher to null"
    )
