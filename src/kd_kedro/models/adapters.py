"""Low-rank adapters on a pretrained model (Hu et al., 2021, arXiv:2106.09685), through `peft`."""

import copy
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from kd_kedro.models.layer_copying import blocks
from kd_kedro.models.model_config import AdapterConfig

WEIGHTS = "adapter_model.safetensors"
# What the kernels of bitsandbytes take of a layer at a time.
BLOCK_INPUTS, BLOCK_OUTPUTS = 64, 32


def add_adapter(model: Any, config: AdapterConfig, seed: int) -> Any:
    """Return the model with a new adapter, which alone learns.

    Args:
        model: A language model, whole or loaded in 4 bits; it is changed and becomes the base.
        config: Size and place of the adapter.
        seed: Seed of its weights. The global random state is left as it was.

    Raises:
        ValueError: If a target module is the head, with which the loss is fused, or is not there.
    """
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        task_type="SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM",
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=layers_to_adapt(model, config.target_modules),
        fan_in_fan_out=any(type(module).__name__ == "Conv1D" for module in model.modules()),
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
        torch.manual_seed(seed)
        adapted = get_peft_model(model, lora)
    # The base lies beside the adapter; where it lay on this machine concerns nobody.
    adapted.peft_config["default"].base_model_name_or_path = None
    return adapted.eval()


def is_adapted(model: Any) -> bool:
    """Return whether a model is a base with an adapter on it."""
    return hasattr(model, "peft_config") and hasattr(model, "merge_and_unload")


def adapter_card(model: Any) -> dict[str, Any]:
    """Return what a card says of an adapter, as plain JSON values."""
    config = model.peft_config["default"]
    adapted = [name for name, module in model.named_modules() if hasattr(module, "lora_A")]
    return {
        "rank": config.r,
        "alpha": config.lora_alpha,
        "dropout": config.lora_dropout,
        "target_modules": sorted({name.rpartition(".")[2] for name in adapted}),
        "parameters": sum(w.numel() for n, w in model.named_parameters() if "lora_" in n),
    }


def merged(model: Any) -> Any:
    """Return a plain model that needs no `peft`, with the adapter added to its weights.

    A base in 4 bits is written out in full first, so that nothing is rounded anew.

    Args:
        model: A model with or without an adapter; it stays as it is.
    """
    if not is_adapted(model):
        return model
    adapted = copy.deepcopy(model)
    _write_out(adapted)
    plain = adapted.merge_and_unload().eval()
    quantizer = getattr(plain, "hf_quantizer", None)
    if quantizer is not None:  # nothing is in 4 bits any more: it is to be saved as any model is
        quantizer.remove_quantization_config(plain)
        plain._weight_conversions = None
    return plain


def without_adapter(model: Any) -> Any:
    """Return the base as it was before the adapter; the adapted model stays as it is."""
    return copy.deepcopy(model).unload()


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter alone, in the format of `peft`."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    # save_pretrained of peft asks the hub for the base's configuration and writes where it lay.
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    weights = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    model.peft_config["default"].save_pretrained(str(folder))


def load_adapter(base: Any, folder: Path) -> Any:
    """Return the base with an adapter that `save_adapter` wrote."""
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return PeftModel.from_pretrained(base, str(folder), local_files_only=True).eval()


def four_bits(key: str) -> Any:
    """Return how transformers loads a base in 4 bits (Dettmers et al., 2023, arXiv:2305.14314).

    Args:
        key: The parameter that asked for it, for the message.

    Raises:
        ValueError: If bitsandbytes or a GPU is missing.
    """
    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise ValueError(
            f"{key}: 4-bit weights need bitsandbytes; run `pip install 'kd_kedro[qlora]'`, or use "
            "lora"
        )
    if not torch.cuda.is_available():
        raise ValueError(f"{key}: 4-bit weights need a GPU and this machine has none; use lora")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def refuse_narrow(model: Any, key: str) -> None:
    """Refuse a base whose linear layers do not fill the blocks in which 4-bit weights are held.

    Whether a narrower one fails depends on the machine, so it is refused on all.

    Args:
        model: The base or its outline, not quantised.
        key: The parameter that named it, for the message.

    Raises:
        ValueError: A layer's inputs are no multiple of 64, or its outputs none of 32.
    """
    for name in layers_to_adapt(model, ()):
        module = model.get_submodule(name)
        outputs, inputs = module.weight.shape
        if not isinstance(module, torch.nn.Linear):  # Conv1D holds its weight transposed
            outputs, inputs = inputs, outputs
        if inputs % BLOCK_INPUTS or outputs % BLOCK_OUTPUTS:
            raise ValueError(
                f"{key}: {type(model).__name__} is too narrow for 4-bit weights: layer {name} has "
                f"{inputs} inputs and {outputs} outputs, which must be multiples of "
                f"{BLOCK_INPUTS} and of {BLOCK_OUTPUTS}; choose a wider base, or set "
                "distillation.student.adapter.kind to lora"
            )


def layers_to_adapt(model: Any, wanted: Sequence[str]) -> list[str]:
    """Return the full names of the chosen linear layers of the blocks, of all where none is.

    Raises:
        ValueError: One is the head, or is not there.
    """
    head = model.get_output_embeddings()
    for name, module in model.named_modules():
        if module is head and {name, name.rpartition(".")[2]} & set(wanted):
            raise ValueError(
                f"distillation.student.adapter.target_modules: '{name}' is the language-model "
                "head, with which the loss is computed in one step; choose layers of the blocks: "
                f"{', '.join(sorted(_short(model)))}"
            )
    there = _short(model)
    for name in wanted:
        if name not in there:
            raise ValueError(
                f"distillation.student.adapter.target_modules: {type(model).__name__} has no "
                f"'{name}' in its blocks; there are {', '.join(sorted(there))}"
            )
    return [name for short in sorted(wanted or there) for name in there[short]]


def _short(model: Any) -> dict[str, list[str]]:
    """Return the full names of the linear layers of the blocks by their last part."""
    names: dict[str, list[str]] = {}
    for stack, modules in blocks(model).items():
        for name, module in modules.named_modules():
            if isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D":
                names.setdefault(name.rpartition(".")[2], []).append(f"{stack}.{name}")
    return names


def _write_out(model: Any) -> None:
    """Replace 4-bit layers, adapted or not, by plain ones with the same weights."""
    for name, module in list(model.named_modules()):
        base = getattr(module, "base_layer", module)
        if type(base).__name__ != "Linear4bit" or name.endswith(".base_layer"):
            continue
        from bitsandbytes.functional import dequantize_4bit

        weight = dequantize_4bit(base.weight.data, base.weight.quant_state).float()
        if base is not module:
            weight = weight + module.get_delta_weight("default").float()
        plain = torch.nn.Linear(weight.shape[1], weight.shape[0], base.bias is not None)
        plain.weight.data = weight
        if base.bias is not None:
            plain.bias.data = base.bias.data.float()
        model.set_submodule(name, plain)
