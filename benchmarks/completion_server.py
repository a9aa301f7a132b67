"""A completion server on loopback with a model behind it: it tells the truth, or lies as asked.

It speaks vLLM's `prompt_logprobs` and OpenAI's `echo` with `logprobs`, and writes answers.
Benchmarks and tests ask it.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch

# What a server may do that makes targets wrong without a sign of it.
LIES = (
    "other tokenizer",
    "shifted positions",
    "shifted probabilities",
    "too few entries",
    "lower cap",
    "NaN",
    "minus infinity",
    "above 0",
    "sum above 1",
    "cut prompt",
    "marks added",
    "nothing at a place",
)


class CompletionServer:
    """Serves `/v1/completions` of a causal model until the context ends.

    Args:
        model: A causal model.
        tokenizer: Its tokenizer.
        lie: One of `LIES`; '' for the truth.
        other: The tokenizer that it lies with.
        by_text: Tokens of `echo` are texts, whatever is asked for.
        own_apart: The likeliest tokens of `echo` are k and no more: what is said of the token that
            stands there may stand in `token_logprobs` alone.
        max_logprobs: The most tokens a position that may be asked for, as of vLLM.
        key: The key that it wants; '' for none.
        fail_at: Request, counted from 1, from which on every answer is HTTP 503; 0 for none.
        lie_at: Request from which on it lies or spoils, the truth before.
        spoil: What becomes of the bytes of an answer.
        hangs_up: Whether it breaks off in the middle of an answer then.
        max_model_len: The longest sequence that the model reads, as vLLM tells it; 0 tells nothing.

    Attributes:
        asked: Bodies of all requests for a completion.
        url: Where it listens.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        lie: str = "",
        other: Any = None,
        by_text: bool = False,
        own_apart: bool = False,
        max_logprobs: int = 20,
        key: str = "",
        fail_at: int = 0,
        lie_at: int = 0,
        spoil: Callable[[bytes], bytes] | None = None,
        hangs_up: bool = False,
        max_model_len: int = 0,
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self._model, self._tokenizer = model.eval(), tokenizer
        self._told, self._other, self._lie_at = lie, other, lie_at
        self._by_text, self._cap, self._key, self.fail_at = by_text, max_logprobs, key, fail_at
        self._own_apart, self._longest = own_apart, max_model_len
        self._lock = threading.Lock()
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                key = (self.headers["Authorization"] or "").removeprefix("Bearer ")
                number, status, said = served._answer(self.path, key, body)
                spoils = number >= lie_at
                content = json.dumps(said).encode()
                content = spoil(content) if spoil and spoils else content
                self._send(status, content, gone=len(content) // 2 if hangs_up and spoils else 0)

            def do_GET(self) -> None:
                known = self.path == "/v1/models"
                said = served._models() if known else {"error": {"message": "Not Found"}}
                self._send(200 if known else 404, json.dumps(said).encode())

            def _send(self, status: int, content: bytes, gone: int = 0) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) - gone])
                self.close_connection = self.close_connection or bool(gone)

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # the client was killed
                    super().handle()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def _lie(self) -> str:
        return self._told if len(self.asked) >= self._lie_at else ""

    @property
    def _names(self) -> Any:
        return self._other if self._lie == "other tokenizer" else self._tokenizer

    def __enter__(self) -> "CompletionServer":
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str, key: str, body: Mapping[str, Any]) -> tuple[int, int, Any]:
        """Return the number of a request, from 1, with the status and the body of its answer."""
        with self._lock:
            self.asked.append(dict(body))
            return len(self.asked), *self._completed(path, key, body)

    def _completed(self, path: str, key: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        if refusal := self._refused(path, key, body):
            status, said = refusal
            return status, {"error": {"message": said, "code": status}}
        ids = list(body["prompt"])
        if not (body.get("echo") or "prompt_logprobs" in body):
            return 200, self._written(ids, body["max_tokens"])
        if self._lie == "cut prompt":
            ids = ids[2:]
        if self._lie == "marks added":
            ids = [self._tokenizer.eos_token_id, *ids]
        listed = self._entries(ids, _asked(body))
        choice = self._echo(ids, listed, body) if body.get("echo") else self._own(ids, listed)
        usage = {"prompt_tokens": len(ids), "completion_tokens": 0, "total_tokens": len(ids)}
        return 200, {"object": "text_completion", "choices": [choice], "usage": usage}

    def _refused(self, path: str, key: str, body: Mapping[str, Any]) -> tuple[int, str] | None:
        k = _asked(body)
        cap = k // 2 if self._lie == "lower cap" else self._cap
        going = bool(self.fail_at and len(self.asked) >= self.fail_at)
        long = 0 < self._longest < len(body["prompt"]) + body["max_tokens"]
        capped = f"Requested prompt logprobs of {k}, which is greater than max allowed: {cap}"
        reasons = [
            (path != "/v1/completions", 404, "Not Found"),
            (key != self._key, 401, "Unauthorized"),
            (going, 503, "the server is going down"),
            (k > cap, 400, capped),
            (long, 400, f"This model's maximum context length is {self._longest} tokens"),
        ]
        return next(((status, said) for holds, status, said in reasons if holds), None)

    def _models(self) -> dict[str, Any]:
        """Return what is listed of the models."""
        told = {"max_model_len": self._longest} if self._longest else {}
        return {"object": "list", "data": [{"id": "tiny", "object": "model", **told}]}

    def _written(self, ids: list[int], most: int) -> dict[str, Any]:
        """Return the likeliest answer to a prompt."""
        made: list[int] = []
        while len(made) < most:
            with torch.no_grad():
                token = int(self._model(torch.tensor([[*ids, *made]])).logits[0, -1].argmax())
            if token == self._tokenizer.eos_token_id:
                break
            made.append(token)
        text = self._tokenizer.decode(made, skip_special_tokens=True)
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(made)}
        total = {**usage, "total_tokens": len(ids) + len(made)}
        return {"choices": [{"index": 0, "text": text}], "usage": total}

    def _entries(self, ids: Sequence[int], k: int) -> list[dict[int, float] | None]:
        """Return of each position the token that stands there and the k likeliest, by id."""
        with torch.no_grad():
            logits = self._model(torch.tensor([ids])).logits[0].float()
        before = logits if self._lie == "shifted probabilities" else logits.roll(1, 0)
        log_probs = before.log_softmax(-1)
        listed: list[dict[int, float] | None] = [None]
        for token, row in zip(ids[1:], log_probs[1:], strict=True):
            values, top = row.topk(k // 2 if self._lie == "too few entries" else k)
            found = dict(zip(top.tolist(), values.tolist(), strict=True))
            listed.append({token: float(row[token]), **found})
        middle = len(ids) - 2
        place = listed[middle]
        assert place is not None
        first = next(iter(place))
        wrong = {"NaN": float("nan"), "minus infinity": -9999.0, "above 0": 0.5}
        if self._lie in wrong:
            place[first] = wrong[self._lie]
        if self._lie == "sum above 1":
            listed[middle] = {token: value / 4 for token, value in place.items()}
        if self._lie == "nothing at a place":
            listed[middle] = None
        if self._lie == "shifted positions":
            listed = [None, *listed[2:], listed[1]]
        return listed

    def _own(self, ids: Sequence[int], listed: list[dict[int, float] | None]) -> dict[str, Any]:
        shown: list[Any] = []
        for entries in listed:
            if entries is None:
                shown.append(None)
                continue
            ordered = sorted(entries, key=lambda token: -entries[token])
            shown.append(
                {
                    str(token): {
                        "logprob": entries[token],
                        "rank": ordered.index(token) + 1,
                        "decoded_token": self._names.decode([token]),
                    }
                    for token in entries
                }
            )
        return {"index": 0, "text": "", "prompt_logprobs": shown, "prompt_token_ids": list(ids)}

    def _echo(
        self, ids: Sequence[int], listed: list[dict[int, float] | None], body: Mapping[str, Any]
    ) -> dict[str, Any]:
        by_id = body.get("return_tokens_as_token_ids") and not self._by_text

        def name(token: int) -> str:
            return f"token_id:{token}" if by_id else str(self._names.convert_ids_to_tokens(token))

        def likeliest(entries: dict[int, float]) -> dict[str, float]:
            chosen = sorted(entries, key=lambda token: -entries[token])
            # The entries are those of the k likeliest and, before them, of the one that stands
            # there, which may be one of them.
            kept = chosen[: body["logprobs"]] if self._own_apart else entries
            return {name(token): entries[token] for token in kept}

        logprobs = {
            "tokens": [name(token) for token in ids],
            "token_logprobs": [each and next(iter(each.values())) for each in listed],
            "top_logprobs": [each and likeliest(each) for each in listed],
        }
        return {"index": 0, "text": self._names.decode(ids), "logprobs": logprobs}


def _asked(body: Mapping[str, Any]) -> int:
    """Return how many tokens a place are asked for, 0 where an answer is."""
    return int(body["logprobs"] if body.get("echo") else body.get("prompt_logprobs", 0))
