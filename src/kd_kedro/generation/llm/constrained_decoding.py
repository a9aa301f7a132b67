"""Replies that follow a JSON schema: at each step a model may write only what the schema allows.

llguidance reads the vocabulary and the schema, and says which tokens may come next.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_ERROR_CHARS = 160


class Vocabulary:
    """The tokens of a model as bytes.

    Args:
        tokenizer: Tokenizer of transformers.
        ends: Ids of the tokens that end a reply.

    Raises:
        ValueError: It is of a kind that cannot be read, or cannot write JSON.
    """

    def __init__(self, tokenizer: Any, ends: Sequence[int]) -> None:
        import llguidance.hf

        try:
            self._tokens = llguidance.hf.from_tokenizer(tokenizer, eos_token=list(ends))
        except ValueError as error:
            raise ValueError(
                f"the tokens of its tokenizer ({type(tokenizer).__name__}) cannot be read as "
                f"bytes: {_short(error)}"
            ) from error
        # Some have no token for a brace, some put a space before any text.
        form = '{"a": "b", "c": 1}'
        if self._tokens.decode_str(self._tokens.tokenize_str(form)) != form:
            raise ValueError(f"its tokenizer gives {form} back as another text")

    def grammar(self, schema: Mapping[str, Any]) -> str:
        """Return a JSON schema in the form that `follow` takes.

        Raises:
            ValueError: The schema is none, or asks for what cannot be kept to.
        """
        from llguidance import LLMatcher

        # One way of writing an object, as prompts show it: small models else write blanks for ever.
        grammar = LLMatcher.grammar_from_json_schema(
            dict(schema),
            overrides={
                "whitespace_flexible": False,
                "item_separator": ", ",
                "key_separator": ": ",
            },
        )
        if defect := LLMatcher.validate_grammar(grammar, self._tokens):
            raise ValueError(f"the JSON schema cannot be kept to: {_short(defect)}")
        return grammar

    def follow(self, grammars: Sequence[str]) -> Any:
        """Return a logits processor for one batch, whose row i follows the i-th grammar."""
        import numpy as np
        import torch
        from llguidance import LLMatcher
        from transformers import LogitsProcessor

        matchers = [LLMatcher(self._tokens, grammar, log_level=0) for grammar in grammars]

        class Follow(LogitsProcessor):  # type: ignore[misc]
            begun = False

            def __call__(self, input_ids: Any, scores: Any) -> Any:
                """Return (rows, vocabulary) scores, -inf where a token may not come next."""
                if self.begun:
                    for matcher, token in zip(matchers, input_ids[:, -1].tolist(), strict=True):
                        if not matcher.is_stopped():
                            matcher.consume_token(token)
                self.begun = True
                # A matcher that has stopped allows the end alone.
                bits = np.stack(
                    [np.frombuffer(matcher.compute_bitmask(), np.uint8) for matcher in matchers]
                )
                known = np.unpackbits(bits, axis=1, bitorder="little")[:, : scores.shape[1]]
                allowed = np.zeros(scores.shape, dtype=bool)  # a model may pad its vocabulary
                allowed[:, : known.shape[1]] = known
                return scores.masked_fill(
                    ~torch.from_numpy(allowed).to(scores.device), float("-inf")
                )

        return Follow()

    def text(self, ids: Sequence[int]) -> str:
        """Return tokens as the text that the grammar saw."""
        return self._tokens.decode_str(list(ids))


def _short(message: object) -> str:
    return " ".join(str(message).split())[:_ERROR_CHARS]
