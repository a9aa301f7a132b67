"""Any OpenAI-compatible server as a backend: vLLM, Gemini's compatible endpoint and others.

`ModelServer` asks whatever such a server can be asked: with a pool of keys, with pauses, again.
"""

import json
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict, Field

from kd_kedro.generation.llm.chat_protocol import (
    BrokenAnswerError,
    is_error,
    read_completion,
    read_error,
    read_json,
    request_body,
)
from kd_kedro.generation.llm.key_pool import KeyPool
from kd_kedro.generation.llm.llm_generator import Failure, Question
from kd_kedro.generation.llm.replies import Reply
from kd_kedro.generation.llm.reply_forms import MisfitError

_LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")
_MAX_BYTES = 4_000_000
_MAX_MISFITS = 2
_MAX_REFUSED_S = 300.0  # seconds of refusals alone after which no more is waited for
_WRONG_KEY = re.compile(r"api[ _-]?key", re.IGNORECASE)
# What a key without any money left is told; limits by the minute come back by themselves.
_EXHAUSTED = re.compile(
    r"insufficient[_ ]?(?:quota|balance|funds|credits?)|credit balance|exceeded_current_quota|"
    r"quota[_ ]exhausted|billing|out of credits|per_?day|daily",
    re.IGNORECASE,
)
_COMES_BACK = re.compile(r"per_?minute|retry_?delay|rate[_ ]limit", re.IGNORECASE)
_STOPPED = Failure("stopped", of_question=True)
Asked = TypeVar("Asked")
Got = TypeVar("Got")


class ConnectionOptions(BaseModel):
    """Which server is asked, and how often and how long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(pattern=r"^https?://[^@\s]+$", description="As http://127.0.0.1:8000/v1.")
    model: str = Field(min_length=1, description="The model's name at the server.")
    concurrency: int = Field(default=8, ge=1, le=256, description="Requests at the same time.")
    requests_per_minute: float | None = Field(default=None, gt=0, description="Of each key.")
    tokens_per_minute: float | None = Field(default=None, gt=0, description="Of each key.")
    timeout_s: float = Field(default=60.0, gt=0, description="Longest time of one attempt.")
    retries: int = Field(
        default=6, ge=0, description="Attempts after the first; at least one a key."
    )
    backoff_s: float = Field(default=1.0, gt=0, description="First pause where none is named.")
    max_wait_s: float = Field(default=120.0, gt=0, description="Longest pause that is waited for.")
    extra_body: dict[str, Any] = Field(default={}, description="Further fields of each request.")


class ServerOptions(ConnectionOptions):
    """How a server is asked for replies."""

    temperature: float = Field(default=0.0, ge=0, le=2, description="0 is greedy.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Nucleus of a sample.")
    max_tokens: int = Field(default=256, ge=1, le=32_768, description="Longest reply.")
    structured: bool = Field(default=True, description="Ask for JSON by schema.")
    system_role: bool = Field(
        default=True, description="False where the model's chat template knows no system role."
    )


@dataclass(frozen=True)
class _Again:
    """Why an attempt came to nothing, and the pause before the next."""

    reason: str
    pause_s: float = 0.0
    misfit: bool = False


class ModelServer(ABC, Generic[Asked, Got]):
    """Asks a server, several requests at a time, through a pool of keys.

    Args:
        name: What messages call what the catalog describes.
        options: Address and pace.
        keys: The server's keys; none is a server without.

    Attributes:
        path: What is asked, below the address.
        remedy: What messages say of a server that is not there.
        max_bytes: The longest answer that is read.

    Raises:
        ValueError: The address cannot be read.
    """

    path: str
    remedy = ""
    max_bytes = _MAX_BYTES

    def __init__(self, name: str, options: ConnectionOptions, keys: Sequence[str] = ()) -> None:
        self._name, self._connection = name, options
        self._keys = KeyPool(
            keys,
            requests_per_minute=options.requests_per_minute,
            tokens_per_minute=options.tokens_per_minute,
            base_s=options.backoff_s,
        )
        self._attempts = 1 + max(options.retries, len(keys))
        try:
            url = httpx2.URL(options.base_url)
            path = url.path.rstrip("/").removesuffix(self.path) + self.path
            self._url = url.copy_with(path=path)  # a query, as Azure's api-version, stays
        except httpx2.InvalidURL as error:
            raise ValueError(
                f"base_url of {name} is no address ({error}): correct it in the catalog"
            ) from error
        self._answered = False
        self._refused_since = 0.0  # when the first refusal came that no reply has followed

    def ask(self, questions: Sequence[Asked]) -> Generator[tuple[int, Got | Failure], None, None]:
        """Yield each question's place with its reply, in the order in which they come.

        Raises:
            ValueError: The server is not there, knows no such model, or refuses a key.
        """
        stop = threading.Event()
        client = self._client()
        pool = ThreadPoolExecutor(self._connection.concurrency)
        try:
            places = {
                pool.submit(self._ask_one, client, question, stop): place
                for place, question in enumerate(questions)
            }
            failed: ValueError | None = None
            for future in as_completed(places):
                try:
                    result = future.result()
                except ValueError as error:  # nothing more is asked, but what came counts
                    failed = failed or error
                    continue
                if result is not _STOPPED and not (failed and isinstance(result, Failure)):
                    yield places[future], result
            if failed:
                raise failed
        finally:
            stop.set()  # for those who wait; who is in the middle of a request ends it
            pool.shutdown(wait=True, cancel_futures=True)
            client.close()

    def models(self) -> list[Mapping[str, Any]]:
        """Return what the server lists of its models; nothing where it tells nothing of them."""
        path = self._url.path.removesuffix(self.path) + "/models"
        try:
            with self._client() as client:
                _, _, answer = self._send(client, "GET", self._url.copy_with(path=path), 1)
            said = read_json(answer)
        except (httpx2.HTTPError, TimeoutError, BrokenAnswerError, ValueError):
            return []
        listed = said.get("data") if isinstance(said, Mapping) else None
        known = listed if isinstance(listed, list) else []
        return [each for each in known if isinstance(each, Mapping)]

    def _client(self) -> httpx2.Client:
        return httpx2.Client(
            timeout=httpx2.Timeout(self._connection.timeout_s, connect=10.0, pool=None),
            # A proxy has no way to this machine's own servers.
            trust_env=self._url.host not in _LOOPBACK,
        )

    @abstractmethod
    def _body(self, question: Asked) -> dict[str, Any]:
        """Return the body of a request."""

    @abstractmethod
    def _read(self, answer: bytes, question: Asked) -> tuple[Got, int]:
        """Return what an answer with status 200 says, and the tokens it counts for.

        Raises:
            BrokenAnswerError: It is none; it may come whole the next time.
            MisfitError: It is not in the form that was asked for.
            ValueError: Nothing more is to be asked of this server.
        """

    def _ask_one(
        self, client: httpx2.Client, question: Asked, stop: threading.Event
    ) -> Got | Failure:
        if stop.is_set():
            return _STOPPED
        content = json.dumps(self._body(question)).encode()
        again, misfits = _Again(""), 0
        for attempt in range(1, self._attempts + 1):
            key = self._wait_for_key(stop)
            if isinstance(key, Failure):
                return key
            try:
                result = self._attempt(client, content, question, key, attempt)
            except ValueError:
                stop.set()
                raise
            if not isinstance(result, _Again):
                return result
            again, misfits = result, misfits + result.misfit
            if misfits >= _MAX_MISFITS:
                return Failure(again.reason, of_question=True)
            if attempt < self._attempts and stop.wait(again.pause_s):
                return _STOPPED
        return Failure(f"{again.reason}; {self._attempts} attempts used")

    def _attempt(
        self, client: httpx2.Client, content: bytes, question: Asked, key: int, attempt: int
    ) -> Got | Failure | _Again:
        pause = self._keys.backoff(attempt)
        try:
            status, headers, answer = self._send(client, "POST", self._url, key, content)
            if status != 200 or is_error(answer):
                return self._refused(status, headers.get("retry-after"), answer, key, pause)
            reply, tokens = self._read(answer, question)
        except MisfitError as error:
            return _Again(str(error), misfit=True)
        except BrokenAnswerError as error:
            return _Again(str(error), pause)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if self._answered:
                return _Again("the server takes no connections any more", pause)
            raise ValueError(
                f"{self._name} finds no server at {self._connection.base_url} "
                f"({error}): start it, or correct base_url in the catalog{self.remedy}"
            ) from error
        except (httpx2.HTTPError, TimeoutError) as error:
            slow = isinstance(error, TimeoutError | httpx2.TimeoutException)
            return _Again("no answer in time" if slow else "the connection broke off", pause)
        self._answered, self._refused_since = True, 0.0
        self._keys.answered(key, tokens)
        return reply

    def _refused(
        self, status: int, retry_after: str | None, answer: bytes, key: int, pause: float
    ) -> Failure | _Again:
        message, code, told = read_error(answer)
        status = (told or 502) if status == 200 else status
        detail = self._without_keys(message)
        reason, said = f"HTTP {status}{detail}", f"{message} {code}"
        exhausted = _EXHAUSTED.search(said) and not retry_after and not _COMES_BACK.search(said)
        if status == 402 or (status in (400, 403, 429) and exhausted):
            return self._retire(key, reason)
        # Some servers say 400 to a wrong key.
        wrong_key = status == 400 and _WRONG_KEY.search(said)
        self._check_fatal(status, key, detail, bool(wrong_key))
        if status == 429 or (status >= 500 and retry_after):
            if retry_after is None:
                self._check_patience(reason)
            self._keys.cool_down(key, retry_after)
            return _Again(reason)
        if status in (408, 409, 425) or status >= 500:
            return _Again(reason, pause)
        return Failure(reason, of_question=status in (400, 413, 422))

    def _retire(self, key: int, reason: str) -> _Again:
        """Ask no more with a key that has nothing left, and stop where it was the last one."""
        if not self._keys.retire(key):
            raise ValueError(
                f"the server at {self._connection.base_url} gives {self._name} nothing more "
                f"({reason}): pay for more, wait, or give another key; what was answered is kept"
            )
        return _Again(reason)

    def _check_patience(self, reason: str) -> None:
        """Stop where nothing but refusals came for minutes, with no word of when to come again."""
        now = time.monotonic()
        self._refused_since = self._refused_since or now
        if now - self._refused_since > _MAX_REFUSED_S:
            raise ValueError(
                f"the server at {self._connection.base_url} has refused every request of "
                f"{self._name} for {_MAX_REFUSED_S / 60:.0f} minutes, last: {reason}; "
                "what was answered is kept: mend this and run again"
            )

    def _wait_for_key(self, stop: threading.Event) -> int | Failure:
        while not stop.is_set():
            key, wait = self._keys.take()
            if key:
                return key
            if wait > self._connection.max_wait_s:
                return Failure(
                    f"no key is free for {wait:.0f} s, more than max_wait_s "
                    f"({self._connection.max_wait_s:g})"
                )
            stop.wait(wait)
        return _STOPPED

    def _send(
        self, client: httpx2.Client, method: str, url: httpx2.URL, key: int, content: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Content-Type": "application/json"}
        if secret := self._keys.secret(key):
            headers["Authorization"] = f"Bearer {secret}"
            if self._url.host.endswith(".azure.com"):
                headers["api-key"] = secret
        deadline = time.monotonic() + self._connection.timeout_s
        with client.stream(method, url, content=content, headers=headers) as response:
            answer = b""
            for part in response.iter_bytes():
                answer += part
                # The client's own timeout begins anew with every byte a slow server sends.
                if time.monotonic() > deadline:
                    raise TimeoutError
                if len(answer) > self.max_bytes:
                    raise BrokenAnswerError(f"the answer has more than {self.max_bytes} bytes")
            return response.status_code, response.headers, answer

    def _check_fatal(self, status: int, key: int, detail: str, wrong_key: bool) -> None:
        if status in (401, 403) or wrong_key:
            which = f"key {key} of {len(self._keys)}" if self._keys.secret(key) else "no key"
            said = f"HTTP {status}{detail}"
            raise ValueError(
                f"the server at {self._connection.base_url} refuses {which} ({said}): correct "
                f"the credentials of {self._name} in credentials.yml"
            )
        if status == 404:
            raise ValueError(
                f"the server at {self._connection.base_url} knows no model "
                f"{self._connection.model} (HTTP 404{detail}): correct model or base_url of "
                f"{self._name}"
            )

    def _without_keys(self, text: str) -> str:
        """Return what the server says is wrong, without any key it may repeat."""
        for number in range(1, len(self._keys) + 1):
            if secret := self._keys.secret(number):
                text = text.replace(secret, "***")
        return f": {text[:200]}" if text else ""


class ChatServer(ModelServer[Question, Reply]):
    """Asks a server for replies.

    Args:
        name: What the text generator is called in messages.
        options: Address, model and parameters of the requests.
        keys: The server's keys; none is a server without.

    Raises:
        ValueError: The address cannot be read.
    """

    path = "/chat/completions"
    remedy = " (with --env server, --params server_url=ADDRESS)"

    def __init__(self, name: str, options: ServerOptions, keys: Sequence[str] = ()) -> None:
        super().__init__(f"text generator {name}", options, keys)
        self._options = options

    def identity(self) -> Mapping[str, Any]:
        """Return what determines a reply; where the server stands does not."""
        return {
            "backend": "openai",
            "model": self._options.model,
            "parameters": self._parameters(),
            "structured": self._options.structured,
            "system_role": self._options.system_role,
        }

    def release(self) -> None:
        """Nothing to give back: the model is the server's."""

    def _parameters(self) -> dict[str, Any]:
        options = self._options
        return {
            "temperature": options.temperature,
            **({"top_p": options.top_p} if options.top_p < 1 else {}),
            # Some servers answer 500 where the length is left to them.
            "max_tokens": options.max_tokens,
            **options.extra_body,
        }

    def _body(self, question: Question) -> dict[str, Any]:
        return request_body(
            question,
            self._options.model,
            self._parameters(),
            structured=self._options.structured,
            system_role=self._options.system_role,
        )

    def _read(self, answer: bytes, question: Question) -> tuple[Reply, int]:
        options = self._options
        reply = read_completion(answer, question.task, options.structured, options.max_tokens)
        return reply, reply.prompt_tokens + reply.completion_tokens
