"""bfloat16 where the machine computes in it, float32 elsewhere."""

from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import torch


def resolve_precision(wanted: str) -> str:
    """Return `bf16` or `fp32` for `auto`, `bf16` or `fp32`.

    A processor without bf16 instructions emulates them slowly, so `auto` asks what it has.
    """
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if _processor_has_bf16() else "fp32"


def autocast(precision: str, device: Any) -> AbstractContextManager[Any]:
    """Return a context in which matrix products run in this precision; weights stay as they are."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16")


@cache
def _processor_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags or " bf16" in flags
