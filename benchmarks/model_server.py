"""A folder with a chat model behind a server of the OpenAI protocol, answering one at a time.

`python benchmarks/model_server.py --model DIR [--port N]` prints its address when it is ready; then
`kedro run --env server --params server_url=ADDRESS,server_model=NAME` asks it. It is there to try
the protocol with a real model where no server can be installed: greedy only, one request at a time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from measuring import at_least, run

from kd_kedro.generation.llm.constrained_decoding import Vocabulary

_PATH = "/v1/chat/completions"
READY = "ready at "


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--model", type=Path, required=True, help="folder with a chat template")
    made.add_argument("--port", type=at_least(0), default=0, help="0 takes a free one")
    given = made.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", given.port), _handler(ServedModel(given.model)))
    print(f"{READY}http://127.0.0.1:{server.server_port}/v1", flush=True)
    server.serve_forever()


class RefusedError(Exception):
    """A request that cannot be answered as it is."""


class ServedModel:
    """A model that completes chats.

    Args:
        folder: Weights, tokenizer and chat template, as transformers saves them.
    """

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder: give that of a model")
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        ).eval()
        self._ends = list(
            {self._tokenizer.eos_token_id, *_as_list(self._model.generation_config.eos_token_id)}
            - {None}
        )
        self._vocabulary = Vocabulary(self._tokenizer, self._ends)

    def complete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the completion of a request.

        Raises:
            RefusedError: Its messages, its schema or its length do not fit the model.
        """
        import torch
        from transformers import LogitsProcessorList

        if body.get("temperature"):
            raise RefusedError("this server is greedy: send temperature 0")
        processors = LogitsProcessorList()
        try:
            text = self._tokenizer.apply_chat_template(
                body["messages"], tokenize=False, add_generation_prompt=True
            )
            if form := body.get("response_format"):
                grammar = self._vocabulary.grammar(form["json_schema"]["schema"])
                processors.append(self._vocabulary.follow([grammar]))
        except (TemplateError, ValueError, KeyError, TypeError) as error:
            raise RefusedError(f"the request does not fit the model: {error}") from error
        prompt = self._tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        longest = int(body.get("max_tokens") or 128)
        if prompt.shape[1] + longest > self._model.config.max_position_embeddings:
            raise RefusedError(f"{prompt.shape[1]} + {longest} tokens are more than the context")
        with torch.inference_mode():
            written = self._model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=longest,
                do_sample=False,
                eos_token_id=self._ends,
                pad_token_id=self._ends[0],
                logits_processor=processors,
            )[0, prompt.shape[1] :].tolist()
        ended = written[-1] in self._ends
        said = self._tokenizer.decode(written[: len(written) - ended], skip_special_tokens=True)
        message = {"role": "assistant", "content": said}
        choice = {"index": 0, "message": message, "finish_reason": "stop" if ended else "length"}
        usage = {"prompt_tokens": prompt.shape[1], "completion_tokens": len(written)}
        return {"object": "chat.completion", "choices": [choice], "usage": usage}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a model in a process of its own; yield its address.

    Raises:
        ValueError: It does not start; the sentence is its own.
    """
    command = [sys.executable, __file__, "--model", str(folder)]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as told,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True) as process,
    ):
        try:
            assert process.stdout
            line = next((line for line in process.stdout if line.startswith(READY)), "")
            if not line:
                told.seek(0)
                raise ValueError((told.read().strip().splitlines() or ["no server"])[-1])
            yield line.removeprefix(READY).strip()
        finally:
            process.terminate()


def _handler(model: ServedModel) -> type[BaseHTTPRequestHandler]:
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                if self.path != _PATH:
                    self._answer(404, {"error": {"message": f"there is {_PATH} alone"}})
                    return
                with turn:
                    said = model.complete(json.loads(content))
                self._answer(200, said)
            except (RefusedError, ValueError) as error:
                self._answer(400, {"error": {"message": str(error)}})

        def _answer(self, status: int, said: Mapping[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing of requests that were answered."""

    return Handler


def _as_list(ends: Any) -> list[int]:
    return ends if isinstance(ends, list) else [ends]


if __name__ == "__main__":
    run(main)
