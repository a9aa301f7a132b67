"""A model in 8 bits through torch's own dynamic quantisation.

Weights become int8 once, one scale for each output; activations become int8 as they come (Jacob
et al., 2018, arXiv:1712.05877). Embeddings stay in float32, and a head tied to them becomes a
matrix of its own.
"""

import copy
import warnings
from typing import Any

import torch


def float_copy(model: Any) -> Any:
    """Return a copy in float32 on the CPU, ready to answer, whose linear layers are all `Linear`.

    GPT-2's `Conv1D` is a linear layer with its weight transposed: the copy computes the same.
    """
    from transformers.pytorch_utils import Conv1D

    plain = copy.deepcopy(model).to(device="cpu", dtype=torch.float32).eval()
    for name, module in list(plain.named_modules()):
        if isinstance(module, Conv1D):
            linear = torch.nn.Linear(module.nx, module.nf)
            linear.weight.data = module.weight.data.T.contiguous()
            linear.bias.data = module.bias.data
            plain.set_submodule(name, linear)
    return plain


def int8_copy(model: Any) -> Any:
    """Return a copy whose linear layers, the head among them, multiply in int8 on the CPU."""
    with warnings.catch_warnings():
        # Deprecated in favour of torchao, which is another package; still part of torch 2.13.
        warnings.simplefilter("ignore")
        from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

        return quantize_dynamic(  # type: ignore[no-untyped-call]
            float_copy(model), {torch.nn.Linear: per_channel_dynamic_qconfig}, inplace=True
        )


def stored_tensors(model: Any) -> dict[str, torch.Tensor]:
    """Return what a quantised model would write to disk: int8 weights, scales, and the rest."""
    tensors: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, torch.Tensor) and tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            tensors[name] = tensor
    for name, module in model.named_modules():
        if not _is_quantised(module):
            continue
        for part in ("scale", "zero_point"):  # of the outputs, which a dynamic layer has not
            tensors.pop(f"{name}.{part}", None)
        weight, bias = module.weight(), module.bias()
        tensors[f"{name}.weight"] = weight.int_repr()
        tensors[f"{name}.weight_scale"] = weight.q_per_channel_scales()
        if bias is not None:
            tensors[f"{name}.bias"] = bias
    return tensors


def _is_quantised(module: Any) -> bool:
    return type(module).__module__.startswith("torch.ao.nn.quantized.dynamic")
