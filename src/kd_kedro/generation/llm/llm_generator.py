"""A language model as a text generator: prompts, cache, checks and account of what it cost.

Who answers, a model in this process or a server, is behind `Backend`; all else is the same.
"""

import logging
from collections import Counter
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from tqdm import tqdm

from kd_kedro.generation.llm.replies import Reply, judge_reply
from kd_kedro.generation.llm.response_cache import ResponseCache, cache_key
from kd_kedro.generation.prompts import Message, Prompt
from kd_kedro.generation.protocol import Outcome, Request

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """One thing a backend is asked.

    Attributes:
        messages: The chat messages.
        task: The task, which may decide the form of the reply.
        seed: Chooses among samples where the backend samples.
    """

    messages: list[Message]
    task: str
    seed: int


@dataclass(frozen=True)
class Failure:
    """Why a backend has no reply to a question.

    Attributes:
        reason: What went wrong.
        of_question: The question is at fault (too long, say); others may well be answered.
    """

    reason: str
    of_question: bool = False


# The place of a question, and what came back.
Answers = Generator[tuple[int, Reply | Failure], None, None]


class Backend(Protocol):
    """Who answers."""

    def identity(self) -> Mapping[str, Any]:
        """Return what determines a reply besides the question: kind, model, parameters."""
        ...

    def ask(self, questions: Sequence[Question]) -> Answers:
        """Yield the place of each question with its reply, in the order in which they come."""
        ...

    def release(self) -> None:
        """Give back memory; the next `ask` takes it again."""
        ...


@dataclass(frozen=True)
class Price:
    """Price of a million tokens, in any currency."""

    input: float = 0.0
    output: float = 0.0


class LanguageModelGenerator:
    """Rewrites by asking a language model.

    Args:
        name: What it is called in messages.
        backend: Who answers.
        prompts: The prompt of each task.
        cache: Where replies are kept.
        price: Price of a million tokens read and written.
        max_failed_share: Share of the requests, of 20 and more, that may fail before the run stops.
        max_failures_in_a_row: Failures without a reply between them that stop the run.
    """

    def __init__(
        self,
        name: str,
        backend: Backend,
        prompts: Mapping[str, Prompt],
        cache: ResponseCache,
        *,
        price: Price = Price(),
        max_failed_share: float = 0.2,
        max_failures_in_a_row: int = 20,
    ) -> None:
        self._name, self._backend, self._prompts, self._cache = name, backend, prompts, cache
        self._price = price
        self._max_failed_share, self._max_in_a_row = max_failed_share, max_failures_in_a_row

    @property
    def tasks(self) -> Collection[str]:
        """The tasks it has a prompt for."""
        return self._prompts.keys()

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return one outcome per request, in the same order.

        Raises:
            ValueError: A task has no prompt, the backend cannot be used at all, or too many
                requests fail. Replies that came before are in the cache.
        """
        if not requests:
            return []
        questions = [self._question(request) for request in requests]
        identity = self._backend.identity()
        keys = [
            self._key(identity, request.task, question)
            for request, question in zip(requests, questions, strict=True)
        ]
        replies: dict[str, Reply | Failure] = {
            key: reply for key in dict.fromkeys(keys) if (reply := self._cache.find(key))
        }
        cached = len(replies)
        replies |= self._ask(dict(zip(keys, questions, strict=True)), replies)
        outcomes = [
            self._outcome(request, question, replies[key], str(identity["model"]))
            for request, question, key in zip(requests, questions, keys, strict=True)
        ]
        self._report(outcomes, replies, cached)
        self._check_failures(outcomes)
        return outcomes

    def release(self) -> None:
        """Give back the memory of the model."""
        self._backend.release()

    def _question(self, request: Request) -> Question:
        if request.task not in self._prompts:
            raise ValueError(
                f"text generator {self._name} has no prompt for the task {request.task}: add one "
                "to the file that text_generator.prompts names"
            )
        messages = self._prompts[request.task].messages(request)
        return Question(messages, request.task, request.seed)

    def _key(self, identity: Mapping[str, Any], task: str, question: Question) -> str:
        return cache_key(
            {
                **identity,
                "task": task,
                "prompt": self._prompts[task].version,
                "messages": question.messages,
                "seed": question.seed,
            }
        )

    def _ask(
        self, questions: Mapping[str, Question], known: Mapping[str, Any]
    ) -> dict[str, Reply | Failure]:
        new = {key: question for key, question in questions.items() if key not in known}
        keys = list(new)
        replies: dict[str, Reply | Failure] = {}
        if not new:
            return replies
        in_a_row, answered = 0, bool(known)
        bar = tqdm(total=len(new), desc=f"asking {self._name}", unit="request", disable=None)
        with bar, closing(self._backend.ask(list(new.values()))) as answers:
            for place, reply in answers:
                replies[keys[place]] = reply
                bar.update()
                if isinstance(reply, Reply):
                    self._cache.add(keys[place], reply)
                    in_a_row, answered = 0, True
                    continue
                # Where nothing was answered yet, all questions may be at fault alike.
                in_a_row += not (reply.of_question and answered)
                if in_a_row >= self._max_in_a_row and self._max_failed_share < 1:
                    raise ValueError(
                        f"text generator {self._name} failed {in_a_row} times in a row, last: "
                        f"{reply.reason}; what was answered is kept: mend this and run again"
                    )
        return replies

    def _outcome(
        self, request: Request, question: Question, reply: Reply | Failure, model: str
    ) -> Outcome:
        # Whether a reply came from the cache is no evidence: a rerun must give the same events.
        evidence: dict[str, Any] = {
            "model": model,
            "prompt": self._prompts[request.task].version,
        }
        if isinstance(reply, Failure):
            return Outcome("failed", request.text, reply.reason, evidence)
        evidence["tokens"] = reply.prompt_tokens + reply.completion_tokens
        status, text, reason = judge_reply(request, question.messages, reply)
        return Outcome(status, text, reason, evidence)

    def _report(
        self, outcomes: Sequence[Outcome], replies: Mapping[str, Reply | Failure], cached: int
    ) -> None:
        counts = Counter(outcome.status for outcome in outcomes)
        # The replies of the cache come first; they cost nothing now.
        new = [reply for reply in list(replies.values())[cached:] if isinstance(reply, Reply)]
        read = sum(reply.prompt_tokens for reply in new)
        written = sum(reply.completion_tokens for reply in new)
        cost = (read * self._price.input + written * self._price.output) / 1e6
        logger.info(
            "%s: %d requests, %d asked, %d known (%s); %d tokens read, %d written%s",
            self._name,
            len(outcomes),
            len(replies) - cached,
            cached,
            ", ".join(f"{count} {status}" for status, count in sorted(counts.items())),
            read,
            written,
            f", cost {cost:.4f}" if self._price != Price() else "",
        )

    def _check_failures(self, outcomes: Sequence[Outcome]) -> None:
        failed = [outcome for outcome in outcomes if outcome.status == "failed"]
        if len(outcomes) >= 20 and len(failed) > self._max_failed_share * len(outcomes):
            raise ValueError(
                f"text generator {self._name} failed at {len(failed)} of {len(outcomes)} requests "
                f"(max_failed_share is {self._max_failed_share:g}), last: {failed[-1].reason}; "
                "what was answered is kept: mend this and run again"
            )
