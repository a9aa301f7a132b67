"""A teacher behind a server: asked row by row, and never twice for the same."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from kd_kedro.generation.llm.chat_protocol import token_count
from kd_kedro.generation.llm.chat_server import ConnectionOptions, ModelServer
from kd_kedro.generation.llm.llm_generator import Failure
from kd_kedro.models.encoding import Example
from kd_kedro.storage.fingerprints import tokenizer_fingerprint
from kd_kedro.storage.keyed_cache import open_cache, text_hash
from kd_kedro.training.teacher.log_prob_protocol import (
    WRITTEN,
    Form,
    RowLogProbs,
    completion_body,
    read_log_probs,
    read_text,
)
from kd_kedro.training.teacher.token_names import TokenNames

_PROBE = "Question: What is two and two?\nAnswer: Four."
_SAME = 0.1  # nats by which a bfloat16 server may differ from itself on the same text


class TeacherServerOptions(ConnectionOptions):
    """How a server is asked for a teacher's probabilities."""

    form: Form = Field(
        default="prompt_logprobs",
        description="prompt_logprobs is vLLM's; echo is OpenAI's, with logprobs of the prompt.",
    )


@dataclass(frozen=True)
class TeacherServer:
    """A teacher behind a server, as the catalog describes it.

    Attributes:
        name: The entry of the catalog, for messages.
        options: Address, model, form and pace.
        keys: The server's keys; none is a server without.
        cache: SQLite file of what was answered, so that nothing is asked twice; None keeps nothing.
    """

    name: str
    options: TeacherServerOptions
    keys: Sequence[str] = field(default=(), repr=False)
    cache: Path | None = None
    _checked: set[tuple[str, int]] = field(default_factory=set, repr=False, compare=False)

    def identity(self) -> dict[str, Any]:
        """Return what determines its probabilities; where it stands does not."""
        return {"model": self.options.model, "extra_body": self.options.extra_body}

    def check(self, tokenizer: Any, k: int) -> None:
        """Ask about two short texts, so that what cannot work is told before anything else is done.

        They differ in the last token but one: what is said of it must be the same, since a model
        reads what stands before, and what is said of the last one must differ.

        Raises:
            ValueError: The server is not there, refuses, has another tokenizer, gives too little,
                or its positions are shifted.
        """
        ids = tokenizer(_PROBE, add_special_tokens=False)["input_ids"]
        other = next(token for token in ids if token != ids[-2])
        texts = [ids, [*ids[:-2], other, ids[-1]]]
        rows = [Example(f"(a text to try it with, {n})", tuple(t), 1) for n, t in enumerate(texts)]
        found: dict[int, RowLogProbs] = {}
        self._ask(rows, tokenizer, k, found.__setitem__)
        before, after = (_distance(found[0], found[1], place) for place in (-2, -1))
        if before > _SAME or after <= before:
            raise ValueError(
                f"{self.name}: the positions of the server at {self.options.base_url} are shifted: "
                "another token in a text changes what it says of the probability of that very "
                "token, or leaves as it is what it says of the next one"
            )

    def positions(self) -> int | None:
        """Return the tokens of the longest row it can be asked for; None where it says none."""
        longest = self._max_model_len()
        return longest - WRITTEN[self.options.form] if longest else None

    def _max_model_len(self) -> int | None:
        """Return the most tokens that it reads and writes together, as vLLM lists them."""
        listed = _Writer(self, 0, None).models()
        own = [each for each in listed if each.get("id") == self.options.model]
        return token_count(own[0].get("max_model_len")) if own else None

    def log_probs(
        self, rows: Sequence[Example], tokenizer: Any, k: int, done: Callable[[], Any]
    ) -> list[RowLogProbs]:
        """Return what the teacher thinks of the answer of each row, in order.

        Args:
            rows: The rows as tokens.
            tokenizer: The tokenizer they are tokens of, which the server's must be.
            k: Likeliest tokens at each position.
            done: Called after each row.

        Raises:
            ValueError: The server is not there, or refuses a row, or what it says is of something
                else; what came before is kept where there is a cache.
        """
        with closing(_cache(self.cache)) as cache:
            print_ = tokenizer_fingerprint(tokenizer)
            keys = [self._key(row, print_, k) for row in rows]
            found = {place: _find(cache, key, rows[place], k) for place, key in enumerate(keys)}
            known = {place: each for place, each in found.items() if each is not None}
            new = [place for place in range(len(rows)) if place not in known]
            for _ in known:
                done()

            def keep(place: int, got: RowLogProbs) -> None:
                known[new[place]] = got
                value = got.ids.tobytes() + got.log_probs.tobytes() + got.own.tobytes()
                cache.execute(
                    "INSERT OR REPLACE INTO log_probs VALUES (?, ?)", [keys[new[place]], value]
                )
                done()

            if new and (print_, k) not in self._checked:
                self.check(tokenizer, k)
                self._checked.add((print_, k))
            if new:
                self._ask([rows[place] for place in new], tokenizer, k, keep)
        return [known[place] for place in range(len(rows))]

    def write(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, done: Callable[[], Any]
    ) -> list[str]:
        """Return the likeliest answer to each prompt, in order, without spaces around it.

        Args:
            prompts: Token ids.
            max_new_tokens: Longest answer; it is shorter where the server reads no more.
            done: Called after each prompt.

        Raises:
            ValueError: The server is not there, or refuses a prompt.
        """
        texts = [""] * len(prompts)
        writer = _Writer(self, max_new_tokens, self._max_model_len())
        with closing(writer.ask(prompts)) as answers:
            for place, got in answers:
                if isinstance(got, Failure):
                    raise ValueError(
                        f"{self.name}: the server at {self.options.base_url} writes no answer to "
                        f"prompt {place} ({got.reason}): mend this and run again"
                    )
                texts[place] = got.strip()
                done()
        return texts

    def _ask(
        self,
        rows: Sequence[Example],
        tokenizer: Any,
        k: int,
        keep: Callable[[int, RowLogProbs], Any],
    ) -> None:
        asker = _Asker(self, TokenNames(tokenizer), k, max(len(row.input_ids) for row in rows))
        with closing(asker.ask(rows)) as answers:
            for place, got in answers:
                if isinstance(got, Failure):
                    raise ValueError(self._failed(rows[place], got, k))
                keep(place, got)

    def _failed(self, row: Example, failure: Failure, k: int) -> str:
        capped = "logprobs" in failure.reason.lower()
        remedy = (
            f"distillation.targets.k asks for {k} tokens: lower it, or let the server give more "
            "(--max-logprobs of vLLM, 20 where it is not set)"
            if capped and failure.of_question
            else "mend this"
        )
        return (
            f"{self.name}: the server at {self.options.base_url} says nothing of row {row.row_id} "
            f"({failure.reason}): {remedy} and run again; what was answered is kept"
        )

    def _key(self, row: Example, tokenizer: str, k: int) -> bytes:
        asked = [self.identity(), tokenizer, k, row.input_ids, row.answer_start]
        return text_hash(json.dumps(asked, sort_keys=True))


class _Asker(ModelServer[Example, RowLogProbs]):
    """Asks for the log probabilities of rows."""

    path = "/completions"
    remedy = " (with --env served, --params teacher_url=ADDRESS)"

    def __init__(self, server: TeacherServer, names: TokenNames, k: int, longest: int) -> None:
        super().__init__(server.name, server.options, server.keys)
        self._options, self._names, self._k = server.options, names, k
        self.max_bytes = 1_000_000 + 256 * (k + 1) * longest

    def _body(self, question: Example) -> dict[str, Any]:
        options = self._options
        body = completion_body(question, options.form, options.model, self._k)
        return {**body, **options.extra_body}

    def _read(self, answer: bytes, question: Example) -> tuple[RowLogProbs, int]:
        try:
            got = read_log_probs(answer, question, self._options.form, self._k, self._names)
        except ValueError as error:
            raise ValueError(
                f"{self._name}: what the server at {self._options.base_url} says of row "
                f"{question.row_id} {error}; nothing of this row is kept"
            ) from error
        return got, len(question.input_ids)


def _distance(one: RowLogProbs, other: RowLogProbs, place: int) -> float:
    """Return the mean difference at a place, in nats; that of a token named once is infinite."""
    first, second = (
        dict(zip(each.ids[place].tolist(), each.log_probs[place].tolist(), strict=True))
        for each in (one, other)
    )
    both = first.keys() & second.keys()
    if 2 * len(both) < len(first):
        return float("inf")
    return float(sum(abs(first[token] - second[token]) for token in both) / len(both))


class _Writer(ModelServer[Sequence[int], str]):
    """Asks for answers."""

    path = "/completions"
    remedy = _Asker.remedy

    def __init__(self, server: TeacherServer, max_new_tokens: int, most: int | None) -> None:
        super().__init__(server.name, server.options, server.keys)
        self._options, self._longest, self._most = server.options, max_new_tokens, most

    def _body(self, question: Sequence[int]) -> dict[str, Any]:
        room = self._most - len(question) if self._most else self._longest
        longest = max(1, min(self._longest, room))  # at least one: the server says what is too long
        asked = {"temperature": 0.0, "max_tokens": longest, "add_special_tokens": False}
        prompt = {"model": self._options.model, "prompt": list(question)}
        return {**prompt, **asked, **self._options.extra_body}

    def _read(self, answer: bytes, question: Sequence[int]) -> tuple[str, int]:
        return read_text(answer)


def _cache(path: Path | None) -> sqlite3.Connection:
    return open_cache(
        path,
        "CREATE TABLE IF NOT EXISTS log_probs (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID",
        holds="log probabilities",
        parameter="teacher_server.cache",
    )


def _find(cache: sqlite3.Connection, key: bytes, row: Example, k: int) -> RowLogProbs | None:
    found = cache.execute("SELECT value FROM log_probs WHERE key = ?", [key]).fetchone()
    if not found:
        return None
    tokens, count = row.answer_tokens, row.answer_tokens * k
    return RowLogProbs(
        np.frombuffer(found[0], np.int32, count).reshape(tokens, k),
        np.frombuffer(found[0], np.float32, count, 4 * count).reshape(tokens, k),
        np.frombuffer(found[0], np.float32, tokens, 8 * count),
    )
