"""The size of a model on disk, and the tensors it needs while answering."""

import json
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def parameters(model: Any) -> int:
    """Return the number of weights, tied ones counted once."""
    return sum({tensor.data_ptr(): tensor.numel() for tensor in model.parameters()}.values())


def safetensors_bytes(model: Any) -> int:
    """Return the size in bytes of `model.safetensors` as `save_pretrained` writes it.

    Tied weights are stored once. Computed from shapes: nothing is serialised.
    """
    state = model.state_dict()
    tied = set(getattr(model, "all_tied_weights_keys", None) or {})
    kept = {tensor.data_ptr() for name, tensor in state.items() if name not in tied}
    return stored_bytes(
        {n: t for n, t in state.items() if not (n in tied and t.data_ptr() in kept)}
    )


def stored_bytes(tensors: Mapping[str, Any]) -> int:
    """Return the size in bytes of a safetensors file with these tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in sorted(tensors.items()):
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _DTYPES.get(str(tensor.dtype).removeprefix("torch."), "F32"),
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    length = len(json.dumps(header, separators=(",", ":")))
    return 8 + (length + 7) // 8 * 8 + offset


_DTYPES = {
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float64": "F64",
    "bool": "BOOL",
    "int8": "I8",
}


def weight_bytes(model: Any) -> int:
    """Return the bytes of a model's weights and buffers in memory, tied ones counted once."""
    return sum({each.data_ptr(): each.nbytes for each in model.state_dict().values()}.values())


@contextmanager
def live_bytes() -> Iterator[dict[str, int]]:
    """Count the bytes of tensors made inside the block that are alive at once."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    count = {"now": 0, "peak": 0}
    known: weakref.WeakSet[Any] = weakref.WeakSet()

    def release(size: int) -> None:
        count["now"] -= size

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            given = {
                id(leaf.untyped_storage())
                for leaf in tree_leaves((args, kwargs))
                if isinstance(leaf, torch.Tensor)
            }
            result = func(*args, **(kwargs or {}))
            for leaf in tree_leaves(result):
                if not isinstance(leaf, torch.Tensor):
                    continue
                storage = leaf.untyped_storage()
                if id(storage) in given or storage in known:
                    continue
                known.add(storage)
                count["now"] += storage.nbytes()
                count["peak"] = max(count["peak"], count["now"])
                weakref.finalize(storage, release, storage.nbytes())
            return result

    with Watch():  # type: ignore[no-untyped-call]
        yield count
