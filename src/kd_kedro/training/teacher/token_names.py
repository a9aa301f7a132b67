"""What a server may call the tokens of a tokenizer."""

from functools import cached_property
from typing import Any

_UNREADABLE = "\ufffd"  # what the bytes of a part of a character are shown as


class TokenNames:
    """What the tokens of a tokenizer may be called by a server that has the same one.

    Args:
        tokenizer: A fast tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.size = len(tokenizer)
        self._names: dict[int, frozenset[str]] = {}

    def of(self, token: int) -> frozenset[str]:
        """Return the names of a token: what it decodes to, and its entry in the vocabulary."""
        if token not in self._names:
            shown = self.tokenizer.decode([token], clean_up_tokenization_spaces=False)
            entry = self.tokenizer.convert_ids_to_tokens(token)
            self._names[token] = frozenset({shown, entry} - {None})
        return self._names[token]

    def is_other(self, token: int, name: str) -> bool:
        """Return whether a server that calls a token so has another tokenizer.

        Spaces around it tell nothing: servers decode tokens alone or in their text. Neither does a
        part of a character.
        """
        own = {each.strip() for each in self.of(token)}
        said = name.strip()
        if not said or _UNREADABLE in said or any(_UNREADABLE in each for each in own):
            return False
        return said not in own

    def called(self, token: int) -> str:
        """Return what messages call a token."""
        shown = self.tokenizer.decode([token], clean_up_tokenization_spaces=False)
        return f"{shown!r} (token id {token})"

    def ids(self, name: str) -> list[int]:
        """Return the tokens that a name may stand for."""
        return self._ids.get(name, [])

    @cached_property
    def _ids(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for token in range(self.size):
            for name in self.of(token):
                found.setdefault(name, []).append(token)
        return found
