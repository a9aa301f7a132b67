"""What the tests of language models share: prompts, questions, and a generator of a server."""

from pathlib import Path
from typing import Any

from kd_kedro.generation.llm.chat_server import ChatServer, ServerOptions
from kd_kedro.generation.llm.llm_generator import LanguageModelGenerator, Price
from kd_kedro.generation.llm.response_cache import ResponseCache
from kd_kedro.generation.prompts import Prompt
from kd_kedro.generation.protocol import Request

PROMPTS = {
    "rephrase": Prompt(system="You ask a question in other words.", user="Question: {text}"),
    "relevance": Prompt(user="Question: {text}"),
}


def rephrase(count: int) -> list[Request]:
    """Return requests that differ in their number."""
    return [Request("rephrase", f"What is entry number {n} of the journal?") for n in range(count)]


def server_generator(
    url: str,
    keys: tuple[str, ...] = (),
    cache: Path | None = None,
    price: Price | None = None,
    max_failed_share: float = 0.2,
    **options: Any,
) -> LanguageModelGenerator:
    """Return a generator that asks a server and hardly pauses."""
    given = {"base_url": url, "model": "double", "backoff_s": 0.01, "timeout_s": 5, **options}
    return LanguageModelGenerator(
        "double",
        ChatServer("double", ServerOptions.model_validate(given), keys),
        PROMPTS,
        ResponseCache(cache),
        price=price or Price(),
        max_failed_share=max_failed_share,
    )
