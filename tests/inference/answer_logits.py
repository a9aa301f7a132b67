"""The logits of given answers, as a test looks at them."""

from typing import Any

import torch

from kd_kedro.inference.generate import answer_states
from kd_kedro.models.encoding import Batch


def answer_logits(model: Any, batch: Batch) -> torch.Tensor:
    """Return the (answer tokens, vocabulary) logits of a batch on the model's device."""
    logits: torch.Tensor = model.get_output_embeddings()(answer_states(model, batch))
    return logits
