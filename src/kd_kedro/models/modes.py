"""How a model is run: in inference mode, and from which first token its decoder starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def decoder_start(model: Any) -> int | None:
    """Return the first token of a decoder; None of a causal model, which has no encoder."""
    config = model.config
    if not config.is_encoder_decoder:
        return None
    start = getattr(config, "decoder_start_token_id", None)
    return int(config.pad_token_id if start is None else start)


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Inference mode with the model in eval(), put back as it was afterwards."""
    was_training = bool(model.training)
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)
