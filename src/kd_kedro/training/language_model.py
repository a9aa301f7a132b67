"""A language model with the tokenizer it was trained with and the card that tells its origin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A language model, its tokenizer, and what made it.

    Attributes:
        model: A `transformers` causal or encoder-decoder language model, or one of them with an
            adapter (`peft`).
        tokenizer: Its fast tokenizer.
        card: Plain JSON values: architecture, parameter count, training settings, fingerprint of
            the weights, where the weights came from.
    """

    model: Any
    tokenizer: Any
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """The number of weights, tied ones counted once."""
        return sum(weight.numel() for weight in self.model.parameters())

    @property
    def max_length(self) -> int:
        """The longest sequence the model takes, in tokens, prompt and answer together."""
        config = self.model.config
        halves = [getattr(config, name, None) or config for name in ("encoder", "decoder")]
        known = [getattr(half, "max_position_embeddings", None) for half in halves]
        positions = min(count or 1_000_000 for count in known)
        return int(min(self.card.get("max_length") or positions, positions))
