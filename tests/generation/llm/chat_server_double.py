"""A real HTTP server on loopback that speaks the chat protocol and misbehaves as it is told."""

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """One request that came in."""

    number: int  # from 0, in the order of arrival
    key: str
    body: dict[str, Any]
    path: str = ""

    @property
    def text(self) -> str:
        """What stands after `Question: ` or `Statement: ` in the user's message."""
        line = self.body["messages"][-1]["content"].splitlines()[0]
        return line.split(": ", 1)[1]


@dataclass
class Answer:
    """What goes out."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    drip: bool = False


def completion(text: str | None, finish: str = "stop", **message: Any) -> Answer:
    content = {
        "id": "1",
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": finish, "message": {"content": text, **message}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    return Answer(body=json.dumps(content).encode())


def question(text: str) -> Answer:
    """The reply of a well-behaved server that is asked for structure."""
    return completion(json.dumps({"question": text}))


class ChatServerDouble:
    """Answers with what `respond` returns; notes what it was asked."""

    def __init__(self, respond: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                key = (self.headers["Authorization"] or "").removeprefix("Bearer ")
                with double.lock:
                    asked = Asked(len(double.asked), key, body, self.path)
                    double.asked.append(asked)
                answer = respond(asked)
                double.stopping.wait(answer.hang_s)
                try:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    if "Content-Length" not in answer.headers:
                        self.send_header("Content-Length", str(len(answer.body)))
                    self.end_headers()
                    if not answer.drip:
                        self.wfile.write(answer.body)
                        return
                    for byte in answer.body:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        if double.stopping.wait(0.1):
                            return
                except OSError:
                    self.close_connection = True  # the client went away

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

    def __enter__(self) -> "ChatServerDouble":
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
