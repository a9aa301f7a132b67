"""How a completion server is asked what its model thinks of given tokens, and what is believed.

Two forms are known, both of `/completions` with the tokens of a row as the prompt:

- `prompt_logprobs`, vLLM's own: for each position an object of token id, with log probability and
  the token's text, of the likeliest tokens and of the one that stands there;
- `echo` with `logprobs`, OpenAI's: parallel lists of tokens, their log probabilities and the
  likeliest tokens, which are texts, or `token_id:` and an id where the server can
  (`return_tokens_as_token_ids` of vLLM).

A server may cut a prompt, put marks before it, have another tokenizer than it is thought to have,
or give less than it is asked for; targets would be wrong without a sign of it. So each of these is
looked for in every row, and the first one found is refused by name.
"""

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kd_kedro.generation.llm.chat_protocol import BrokenAnswerError
from kd_kedro.models.encoding import Example

Form = Literal["prompt_logprobs", "echo"]
_ID = "token_id:"
_STAND_IN = -9000.0  # vLLM writes -9999 for minus infinity, which JSON has not
_ROUNDED = 1e-4  # what rounding may add to a log probability
_SUM = 1e-2  # and to a sum of probabilities, in bfloat16
_UNREADABLE = "\ufffd"  # what the bytes of a part of a character are shown as


@dataclass(frozen=True)
class RowLogProbs:
    """What a teacher thinks of the answer of one row.

    Attributes:
        ids: (answer tokens, k) int32, the likeliest tokens, the likeliest first.
        log_probs: (answer tokens, k) float32.
        own: (answer tokens,) float32, those of the answer's own tokens.
    """

    ids: NDArray[np.int32]
    log_probs: NDArray[np.float32]
    own: NDArray[np.float32]


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


def completion_body(row: Example, form: Form, model: str, k: int) -> dict[str, Any]:
    """Return the body of a request for the k likeliest tokens at each position of a row."""
    body: dict[str, Any] = {
        "model": model,
        "prompt": list(row.input_ids),
        # Servers give the model's own probabilities; where one should divide by a temperature
        # first, this is the one that changes nothing.
        "temperature": 1.0,
        "top_p": 1.0,
        "add_special_tokens": False,
    }
    if form == "echo":
        asked = {"echo": True, "logprobs": k, "max_tokens": 0, "return_tokens_as_token_ids": True}
        return {**body, **asked}
    return {**body, "prompt_logprobs": k, "max_tokens": 1, "return_token_ids": True}


def read_text(answer: bytes) -> tuple[str, int]:
    """Return what a completion server wrote, and the tokens that it read and wrote.

    Raises:
        BrokenAnswerError: The answer is no completion.
    """
    try:
        said = json.loads(answer)
        text = said["choices"][0]["text"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise BrokenAnswerError("the answer is no completion") from error
    if not isinstance(text, str):
        raise BrokenAnswerError("the answer has no text")
    usage = said.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, Mapping) else 0
    return text, tokens if isinstance(tokens, int) else 0


def read_log_probs(
    answer: bytes, row: Example, form: Form, k: int, names: TokenNames
) -> RowLogProbs:
    """Return what a server says of the answer tokens of a row, once it is proved to be of them.

    Raises:
        BrokenAnswerError: It is no completion; it may come whole the next time.
        ValueError: It is a completion of something else; the message names position and token.
    """
    try:
        choice = json.loads(answer)["choices"][0]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise BrokenAnswerError("the answer is no completion") from error
    if not isinstance(choice, Mapping):
        raise BrokenAnswerError("the answer is no completion")
    read = _echoed if form == "echo" else _prompt_log_probs
    ids = np.empty((row.answer_tokens, k), np.int32)
    log_probs = np.empty((row.answer_tokens, k), np.float32)
    own = np.empty(row.answer_tokens, np.float32)
    for position, entries in read(choice, row, names):
        where = f"at token {position} of {len(row.input_ids)}"
        if entries is None:
            if position >= row.answer_start:
                raise ValueError(f"has nothing {where}, which belongs to the answer")
            continue
        _check_entries(entries, row.input_ids[position], where, k, names)
        if position < row.answer_start:
            continue
        top = sorted(entries, key=lambda token: (-entries[token], token))[:k]
        place = position - row.answer_start
        ids[place], log_probs[place] = top, [entries[token] for token in top]
        own[place] = entries[row.input_ids[position]]
    return RowLogProbs(ids, np.minimum(log_probs, 0), np.minimum(own, 0))


_Entries = Iterator[tuple[int, dict[int, float] | None]]


def _prompt_log_probs(choice: Mapping[str, Any], row: Example, names: TokenNames) -> _Entries:
    """Yield each position after the first with what is said of it, by token id."""
    listed = choice.get("prompt_logprobs")
    if not isinstance(listed, list):
        raise ValueError(
            "has no list prompt_logprobs, which vLLM's server gives: with another one try `form: "
            "echo`"
        )
    sent, back = list(row.input_ids), choice.get("prompt_token_ids")
    if isinstance(back, list):
        _check_count(back, row)
        for at, (own, theirs) in enumerate(zip(sent, back, strict=True)):
            if own != theirs:
                raise ValueError(
                    f"is of other tokens than were sent: token {at} is {theirs}, not {own}"
                )
    _check_count(listed, row)
    said = False
    for position, entries in enumerate(listed[1:], 1):
        if entries is None:
            yield position, None
            continue
        found, ranks = {}, {}
        for key, entry in _object(entries, position).items():
            token = _number_of(key, position, names)
            fields = entry if isinstance(entry, Mapping) else {"logprob": entry}
            name = fields.get("decoded_token")
            if isinstance(name, str):
                said = said or bool(name.strip())
                if names.is_other(token, name):
                    raise ValueError(_other_tokenizer(token, name, position, names))
            found[token] = _log_prob(fields.get("logprob"), token, position)
            ranks[token] = fields.get("rank")
        _check_ranks(found, ranks, position)
        yield position, found
    if not said:
        raise ValueError(
            "has no token's text (decoded_token), so that nothing proves that its tokenizer is "
            "distillation.tokenizer: let the server load its tokenizer"
        )


def _echoed(choice: Mapping[str, Any], row: Example, names: TokenNames) -> _Entries:
    """Yield each position after the first with what is said of it, by token id."""
    listed = choice.get("logprobs")
    if not isinstance(listed, Mapping):
        raise ValueError(
            "has no logprobs: the server gives none for a prompt (echo); vLLM's does, and there "
            "`form: prompt_logprobs` is better"
        )
    tokens, own, top = (listed.get(name) for name in ("tokens", "token_logprobs", "top_logprobs"))
    if not (isinstance(tokens, list) and isinstance(own, list) and isinstance(top, list)):
        raise ValueError("has no lists tokens, token_logprobs and top_logprobs in its logprobs")
    for part in (tokens, own, top):
        _check_count(part, row)
    by_id = all(isinstance(name, str) and name.startswith(_ID) for name in tokens)
    if by_id:
        _check_text(choice.get("text"), row, names)
    for position, (token, name) in enumerate(zip(row.input_ids, tokens, strict=True)):
        if name != f"{_ID}{token}" if by_id else names.is_other(token, str(name)):
            raise ValueError(
                f"has {name!r} at token {position}, where {_called(token, names)} was sent: its "
                "positions are shifted, or its tokenizer is another one than "
                "distillation.tokenizer"
            )
        if not position:
            continue
        if top[position] is None:
            yield position, None
            continue
        found = {}
        for key, value in _object(top[position], position).items():
            number = token if key == name else _named(key, position, names)
            found[number] = _log_prob(value, number, position)
        said = _log_prob(own[position], token, position)
        if abs(found.get(token, said) - said) > _ROUNDED * max(1, abs(said)):
            raise ValueError(
                f"has two log probabilities of {_called(token, names)} at token {position}, "
                f"{said:g} and {found[token]:g}: its positions are shifted"
            )
        yield position, found


def _check_entries(
    entries: Mapping[int, float], token: int, where: str, k: int, names: TokenNames
) -> None:
    if token not in entries:
        raise ValueError(
            f"has nothing {where} of {_called(token, names)}, which stands there: its positions "
            "are shifted, or its prompt is another one"
        )
    if len(entries) < k:
        raise ValueError(
            f"has {len(entries)} tokens {where} where distillation.targets.k asks for {k}: lower "
            "targets.k, or let the server give more (--max-logprobs of vLLM)"
        )
    total = sum(map(math.exp, entries.values()))
    if total > 1 + _SUM:
        raise ValueError(f"has probabilities {where} that sum to {total:.3f}: they are none")


def _check_ranks(entries: Mapping[int, float], ranks: Mapping[int, Any], position: int) -> None:
    """Make sure that the likelier of two tokens ranks before the other, where ranks are given."""
    given = [(entries[token], rank) for token, rank in ranks.items() if isinstance(rank, int)]
    given.sort(key=lambda each: (each[1], -each[0]))
    for (first, rank), (second, next_rank) in itertools.pairwise(given):
        if second > first + _ROUNDED * max(1, abs(first)):
            raise ValueError(
                f"has ranks at token {position} that contradict its log probabilities: number "
                f"{rank} has {first:g}, number {next_rank} has {second:g}"
            )


def _check_count(listed: list[Any], row: Example) -> None:
    if len(listed) != len(row.input_ids):
        raise ValueError(
            f"is of {len(listed)} tokens where {len(row.input_ids)} were sent: the prompt was cut, "
            "or marks were added to it"
        )


def _check_text(text: Any, row: Example, names: TokenNames) -> None:
    """Make sure that the tokens are text to the server as they are to the tokenizer."""
    own = {
        names.tokenizer.decode(row.input_ids, skip_special_tokens=left_out)
        for left_out in (False, True)
    }
    if not isinstance(text, str) or not text.strip():
        raise ValueError(
            "has ids alone and no text, so that nothing proves that its tokenizer is "
            "distillation.tokenizer"
        )
    if "".join(text.split()) not in {"".join(each.split()) for each in own}:
        raise ValueError(
            f"has the text {text[:60]!r} for tokens that are {min(own)[:60]!r}: its tokenizer is "
            "another one than distillation.tokenizer"
        )


def _number_of(key: Any, position: int, names: TokenNames) -> int:
    text = str(key)
    if not text.isdecimal() or int(text) >= names.size:
        raise ValueError(
            f"has the token {text} at token {position}, but distillation.tokenizer has the ids 0 "
            f"to {names.size - 1}"
        )
    return int(text)


def _named(key: Any, position: int, names: TokenNames) -> int:
    name = str(key)
    if name.startswith(_ID):
        return _number_of(name.removeprefix(_ID), position, names)
    found = names.ids(name)
    if len(found) == 1:
        return found[0]
    if not found:
        raise ValueError(
            f"has the token {name!r} at token {position}, which distillation.tokenizer has not: "
            "its tokenizer is another one"
        )
    raise ValueError(
        f"has the token {name!r} at token {position}, which may be any of the ids "
        f"{', '.join(map(str, found[:4]))}: texts do not tell tokens apart here; use `form: "
        "prompt_logprobs`, or a server that knows return_tokens_as_token_ids"
    )


def _log_prob(value: Any, token: int, position: int) -> float:
    where = f"of token id {token} at token {position}"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or math.isnan(value):
        shown = "NaN" if number else repr(value)
        raise ValueError(f"has {shown} as the log probability {where}: that is no number")
    if value <= _STAND_IN:
        raise ValueError(
            f"has minus infinity ({value:g}) as the log probability {where}: the server cuts its "
            "distribution (top_k, top_p, min_p) before it tells of it"
        )
    if value > _ROUNDED:
        raise ValueError(f"has {value:g} as the log probability {where}, which is above 0")
    return float(value)


def _object(entries: Any, position: int) -> Mapping[Any, Any]:
    if not isinstance(entries, Mapping):
        raise ValueError(f"has no object of tokens at token {position}")
    return entries


def _other_tokenizer(token: int, name: str, position: int, names: TokenNames) -> str:
    return (
        f"calls the token id {token} {name!r} at token {position}, which is "
        f"{_called(token, names)} in distillation.tokenizer: its tokenizer is another one"
    )


def _called(token: int, names: TokenNames) -> str:
    shown = names.tokenizer.decode([token], clean_up_tokenization_spaces=False)
    return f"{shown!r} (token id {token})"
