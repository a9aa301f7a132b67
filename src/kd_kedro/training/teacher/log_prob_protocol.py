"""How a completion server is asked what its model thinks of given tokens, and what is believed.

Two forms are known, both of `/completions` with the tokens of a row as the prompt:

- `prompt_logprobs`, vLLM's own: for each position an object of token id, with log probability and
  the token's text, of the likeliest tokens and of the one that stands there;
- `echo` with `logprobs`, OpenAI's: parallel lists of tokens, their log probabilities and the
  likeliest tokens, which are texts, or `token_id:` and an id where the server can
  (`return_tokens_as_token_ids` of vLLM). The token that stands there need not be among the
  likeliest.

A server may cut a prompt, put marks before it, have another tokenizer than it is thought to have,
or give less than it is asked for; targets would be wrong without a sign of it. So each of these is
looked for in every row, and the first one found is refused by name.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from reprlib import Repr
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kd_kedro.generation.llm.chat_protocol import (
    BrokenAnswerError,
    is_unicode,
    read_json,
    token_count,
)
from kd_kedro.models.encoding import Example
from kd_kedro.training.teacher.token_names import TokenNames

Form = Literal["prompt_logprobs", "echo"]
# Tokens that are written beside what is asked for: vLLM writes at least one.
WRITTEN: Mapping[Form, int] = {"prompt_logprobs": 1, "echo": 0}
_ID = "token_id:"
_STAND_IN = -9000.0  # vLLM writes -9999 for minus infinity, which JSON has not
_ROUNDED = 1e-4  # what rounding may add to a log probability, relative where that is below -1
_SUM = 1e-2  # and to a sum of probabilities, in bfloat16
_LONGEST_ID = 9  # digits
_SHORT = Repr()  # a server may put anything of any size in the place of a name or a number
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


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
        "max_tokens": WRITTEN[form],
    }
    if form == "echo":
        return {**body, "echo": True, "logprobs": k, "return_tokens_as_token_ids": True}
    return {**body, "prompt_logprobs": k, "return_token_ids": True}


def read_text(answer: bytes) -> tuple[str, int]:
    """Return what a completion server wrote, and the tokens that it read and wrote.

    Raises:
        BrokenAnswerError: The answer is no completion.
    """
    try:
        said = read_json(answer)
        text = said["choices"][0]["text"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise BrokenAnswerError("the answer is no completion") from error
    if not isinstance(text, str) or not is_unicode(text):
        raise BrokenAnswerError("the answer has no text")
    usage = said.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, Mapping) else 0
    return text, token_count(tokens) or 0


def read_log_probs(
    answer: bytes, row: Example, form: Form, k: int, names: TokenNames
) -> RowLogProbs:
    """Return what a server says of the answer tokens of a row, once it is proved to be of them.

    Raises:
        BrokenAnswerError: It is no completion; it may come whole the next time.
        ValueError: It is a completion of something else; the message names position and token.
    """
    try:
        choice = read_json(answer)["choices"][0]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise BrokenAnswerError("the answer is no completion") from error
    if not isinstance(choice, Mapping):
        raise BrokenAnswerError("the answer is no completion")
    read = _echoed if form == "echo" else _prompt_log_probs
    ids = np.empty((row.answer_tokens, k), np.int32)
    log_probs = np.empty((row.answer_tokens, k), np.float32)
    own = np.empty(row.answer_tokens, np.float32)
    for position, said in read(choice, row, names):
        where = f"at token {position} of {len(row.input_ids)}"
        if said is None:
            if position >= row.answer_start:
                raise ValueError(f"has nothing {where}, which belongs to the answer")
            continue
        entries = said.entries
        top = sorted(entries, key=lambda token: (-entries[token], token))[:k]
        token_own = _checked_own(said, top, row.input_ids[position], where, k, names)
        if position < row.answer_start:
            continue
        place = position - row.answer_start
        ids[place], log_probs[place] = top, [entries[token] for token in top]
        own[place] = token_own
    return RowLogProbs(ids, np.minimum(log_probs, 0), np.minimum(own, 0))


class _Said(NamedTuple):
    """What a server says of a position.

    Attributes:
        entries: Log probabilities of the likeliest tokens by id; the token that stands there may be
            among them.
        own: That of the token that stands there; None where nothing is said of it.
    """

    entries: dict[int, float]
    own: float | None


_Positions = Iterator[tuple[int, _Said | None]]


def _prompt_log_probs(choice: Mapping[str, Any], row: Example, names: TokenNames) -> _Positions:
    """Yield each position after the first with what is said of it."""
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
                    f"is of other tokens than were sent: token {at} is {_SHORT.repr(theirs)}, "
                    f"not {own}"
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
        yield position, _Said(found, found.get(row.input_ids[position]))
    if not said:
        raise ValueError(
            "has no token's text (decoded_token), so that nothing proves that its tokenizer is "
            "distillation.tokenizer: let the server load its tokenizer"
        )


def _echoed(choice: Mapping[str, Any], row: Example, names: TokenNames) -> _Positions:
    """Yield each position after the first with what is said of it."""
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
    by_id = all(name.startswith(_ID) for name in tokens if isinstance(name, str))
    if by_id:
        _check_text(choice.get("text"), row, names)
    for position, (token, name) in enumerate(zip(row.input_ids, tokens, strict=True)):
        named = isinstance(name, str)
        if name != f"{_ID}{token}" if by_id else not named or names.is_other(token, name):
            raise ValueError(
                f"has {_SHORT.repr(name)} at token {position}, where {names.called(token)} was "
                "sent: its positions are shifted, or its tokenizer is another one than "
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
        if abs(found.get(token, said) - said) > _rounding(said):
            if len(names.ids(name)) > 1:  # another token of the same text may be meant
                raise ValueError(_ambiguous(name, position, names))
            raise ValueError(
                f"has two log probabilities of {names.called(token)} at token {position}, "
                f"{said:g} and {found[token]:g}: its positions are shifted"
            )
        yield position, _Said(found, said)


def _checked_own(
    said: _Said, top: list[int], token: int, where: str, k: int, names: TokenNames
) -> float:
    """Return the log probability of the token that stands there, once all that is said fits."""
    entries, own = said
    if own is None:
        raise ValueError(
            f"has nothing {where} of {names.called(token)}, which stands there: its positions "
            "are shifted, or its prompt is another one"
        )
    if len(entries) < k:
        raise ValueError(
            f"has {len(entries)} tokens {where} where distillation.targets.k asks for {k}: lower "
            "targets.k, or let the server give more (--max-logprobs of vLLM)"
        )
    last = entries[top[-1]]
    if token not in entries and own > last + _rounding(last):
        raise ValueError(
            f"has {own:g} {where} as the log probability of {names.called(token)}, which is not "
            f"among the {k} likeliest tokens there, whose least has {last:g}: its positions are "
            "shifted"
        )
    total = sum(map(math.exp, {**entries, token: own}.values()))
    if total > 1 + _SUM:
        raise ValueError(f"has probabilities {where} that sum to {total:.3f}: they are none")
    return own


def _rounding(value: float) -> float:
    """Return what rounding may add to a log probability."""
    return _ROUNDED * max(1, abs(value))


def _check_ranks(entries: Mapping[int, float], ranks: Mapping[int, Any], position: int) -> None:
    """Make sure that the likelier of two tokens ranks before the other, where ranks are given."""
    given = [(entries[token], rank) for token, rank in ranks.items() if isinstance(rank, int)]
    given.sort(key=lambda each: (each[1], -each[0]))
    for (first, rank), (second, next_rank) in itertools.pairwise(given):
        if second > first + _rounding(first):
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
    number = int(text) if text.isdecimal() and len(text) <= _LONGEST_ID else names.size
    if number >= names.size:
        raise ValueError(
            f"has the token {_SHORT.repr(text)} at token {position}, but distillation.tokenizer "
            f"has the ids 0 to {names.size - 1}"
        )
    return number


def _named(key: Any, position: int, names: TokenNames) -> int:
    name = str(key)
    if name.startswith(_ID):
        return _number_of(name.removeprefix(_ID), position, names)
    found = names.ids(name)
    if len(found) == 1:
        return found[0]
    if not found:
        raise ValueError(
            f"has the token {_SHORT.repr(name)} at token {position}, which distillation.tokenizer "
            "has not: its tokenizer is another one"
        )
    raise ValueError(_ambiguous(name, position, names))


def _ambiguous(name: str, position: int, names: TokenNames) -> str:
    return (
        f"has the token {_SHORT.repr(name)} at token {position}, which may be any of the ids "
        f"{', '.join(map(str, names.ids(name)[:4]))}: texts do not tell tokens apart here; use "
        "`form: prompt_logprobs`, or a server that knows return_tokens_as_token_ids"
    )


def _log_prob(value: Any, token: int, position: int) -> float:
    where = f"as the log probability of token id {token} at token {position}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"has {_SHORT.repr(value)} {where}: that is no number")
    number = _as_float(value)
    if math.isnan(number):
        raise ValueError(f"has NaN {where}: that is no number")
    if number <= _STAND_IN:
        raise ValueError(
            f"has minus infinity ({number:g}) {where}: the server cuts its distribution (top_k, "
            "top_p, min_p) before it tells of it"
        )
    if number > _ROUNDED:
        raise ValueError(f"has {number:g} {where}, which is above 0")
    return number


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:  # JSON has whole numbers of any size
        return math.inf if value > 0 else -math.inf


def _object(entries: Any, position: int) -> Mapping[Any, Any]:
    if not isinstance(entries, Mapping):
        raise ValueError(f"has no object of tokens at token {position}")
    return entries


def _other_tokenizer(token: int, name: str, position: int, names: TokenNames) -> str:
    return (
        f"calls the token id {token} {_SHORT.repr(name)} at token {position}, which is "
        f"{names.called(token)} in distillation.tokenizer: its tokenizer is another one"
    )
