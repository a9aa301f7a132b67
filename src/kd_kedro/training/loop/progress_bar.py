"""A training's progress on the console."""

import logging
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

logger = logging.getLogger(__name__)


class ProgressBar(TrainerCallback):  # type: ignore[misc]
    """One bar over the optimiser steps, with the latest losses beside it.

    Where nobody watches a terminal there is no bar; the log has every validation loss.
    """

    def __init__(self, description: str) -> None:
        self._description = description
        self._bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Draw the bar."""
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=self._description,
            unit="step",
            disable=None,
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count a step."""
        self._bar.update(1)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the latest losses."""
        shown = {"loss": (logs or {}).get("loss"), "validation": (logs or {}).get("eval_loss")}
        for name, value in shown.items():
            if value is not None:
                self._bar.set_postfix_str(f"{name} {value:.3f}")
        if shown["validation"] is not None:
            step, steps = state.global_step, state.max_steps
            loss = shown["validation"]
            logger.info(
                "%s: step %d of %d, validation loss %.3f", self._description, step, steps, loss
            )

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the bar."""
        self._bar.close()


def history(logged: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Return what Trainer logged as `{step, ...}` records under the names of this project."""
    names = {
        "loss": "loss",
        "cross_entropy": "cross_entropy",
        "divergence": "divergence",
        "hidden": "hidden",
        "learning_rate": "learning_rate",
        "grad_norm": "grad_norm",
        "eval_loss": "validation_loss",
    }
    records = []
    for entry in logged:
        values = {new: float(entry[old]) for old, new in names.items() if old in entry}
        if values:
            records.append({"step": int(entry["step"]), **values})
    return records
