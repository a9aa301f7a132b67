"""Several processes that train one model: what they agree on, and weights that lie in shards."""

from pathlib import Path
from typing import Any

import torch

from kd_kedro.training.loop.checkpoints import checkpoint_at, last_checkpoint, whole_steps


def agreed(folder: Path) -> Path | None:
    """Return the latest checkpoint that every process has; each node has a folder of its own."""
    last = last_checkpoint(folder)
    if not torch.distributed.is_initialized():
        return last
    mine = whole_steps(folder)
    everyones: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyones, mine)
    common = set(mine).intersection(*everyones)
    return checkpoint_at(folder, max(common)) if common else None


def shard(module: Any, device: torch.device) -> None:
    """Spread the weights over all processes, block by block (PyTorch's FSDP2).

    The head stays with the module, whose `forward` uses it; so do tied embeddings.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    model = module.model
    head = model.get_output_embeddings().weight
    whole = set(getattr(model, "_no_split_modules", None) or [])
    for part in model.modules():
        tied = any(weight is head for weight in part.parameters())
        if type(part).__name__ in whole and not tied:
            fully_shard(part, mesh=mesh)
    fully_shard(module, mesh=mesh)


def whole_optimizer_state(module: Any, optimizer: Any) -> dict[str, Any]:
    """Gather the state of an optimizer over sharded weights, by name; all processes must call."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    whole: dict[str, Any] = get_optimizer_state_dict(module, optimizer.optimizer, options=options)
    return whole


def share_optimizer_state(module: Any, optimizer: Any, whole: dict[str, Any]) -> None:
    """Give each process its shards of what `whole_optimizer_state` returned."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    set_optimizer_state_dict(module, optimizer.optimizer, whole, options=options)
