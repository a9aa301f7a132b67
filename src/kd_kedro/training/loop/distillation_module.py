"""A student with its loss: one module, so that whatever wraps modules wraps the whole step."""

from pathlib import Path
from typing import Any

import torch

from kd_kedro.inference.generate import answer_states
from kd_kedro.models.encoding import Batch
from kd_kedro.storage.atomic import writing
from kd_kedro.training.loop.objective import AnswerLoss, answer_loss
from kd_kedro.training.loop.training_config import ObjectiveConfig
from kd_kedro.training.teacher.signals import Signal


class DistillationModule(torch.nn.Module):
    """Answers a batch with its summed loss.

    The head and the projection are used inside `forward`, where DistributedDataParallel and FSDP
    have them whole.

    Args:
        model: The student.
        objective: What it learns.
        teacher_width: Size of the teacher's hidden states, where they are learned from.
        seed: Seed of the projection's initial weights.
    """

    def __init__(
        self,
        model: Any,
        objective: ObjectiveConfig,
        teacher_width: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.projection = None
        if objective.hidden_state_weight and teacher_width:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                width = model.get_output_embeddings().weight.shape[1]
                self.projection = torch.nn.Linear(width, teacher_width, bias=False)
                self.projection.to(device=model.device, dtype=model.dtype)

    def forward(self, batch: Batch, signal: Signal | None) -> AnswerLoss:
        """Return the loss of a batch on the model's device, summed over its answer tokens.

        In evaluation it is the cross-entropy alone, whatever the objective.
        """
        states = answer_states(self.model, batch)
        # A student's own words are no example to follow: there the teacher alone is asked.
        objective = (
            self.objective if batch.written else self.objective.model_copy(update={"alpha": 0.0})
        )
        objective = objective if self.training else ObjectiveConfig()
        head = self.model.get_output_embeddings()
        loss = answer_loss(objective, states, head, batch.answers, signal, self.projection)
        return loss if batch.written else loss._replace(cross_entropy=loss.cross_entropy * 0)

    def activation_checkpointing_enable(self, **settings: Any) -> None:
        """Tell the student to compute activations anew in the backward pass, as Trainer asks."""
        self.model.activation_checkpointing_enable(**settings)


def whole_module(model: Any) -> DistillationModule:
    """Return what saves and loads all weights of a model that training changes."""
    return DistillationModule(model, ObjectiveConfig())


WEIGHTS = "learned.safetensors"  # what training changes, the projection too; tied weights once


def save_learned(module: torch.nn.Module, folder: Path, writes: bool = True) -> None:
    """Write the weights that training changes.

    Args:
        module: The module whose weights are saved.
        folder: Where `learned.safetensors` goes.
        writes: Whether this process writes; all must call, so that shards come together.
    """
    from safetensors.torch import save_file

    learned = {name: _whole(weight).contiguous() for name, weight in _learned(module)}
    if writes:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            save_file(learned, folder / WEIGHTS)


def load_learned(module: torch.nn.Module, folder: Path) -> None:
    """Read back what `save_learned` wrote, into the very same tensors."""
    from safetensors.torch import load_file
    from torch.distributed.tensor import DTensor, distribute_tensor

    saved = load_file(folder / WEIGHTS)
    with torch.no_grad():
        for name, weight in _learned(module):
            value = saved[name]
            if isinstance(weight, DTensor):
                value = distribute_tensor(
                    value.to(weight.device), weight.device_mesh, weight.placements
                )
            weight.copy_(value)


def _learned(module: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [(name, weight) for name, weight in module.named_parameters() if weight.requires_grad]


def _whole(weight: torch.Tensor) -> torch.Tensor:
    from torch.distributed.tensor import DTensor

    detached = weight.detach()
    return detached.full_tensor() if isinstance(detached, DTensor) else detached
