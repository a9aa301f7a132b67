"""The engine's tokenizer, model and examples."""

from tests.training.conftest import examples, model, tokenizer

__all__ = ["examples", "model", "tokenizer"]
