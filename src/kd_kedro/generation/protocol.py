"""What every text generator understands: a request in, an honest outcome out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

Status = Literal["ok", "unchanged", "rejected", "failed"]


@dataclass(frozen=True)
class Request:
    """One text to rewrite.

    Attributes:
        task: What to do. `fitb` turns a statement with blanks (each written `____`) into a
            question; the others rewrite a question without changing what it asks.
        text: The text.
        context: What the generator may know besides, as the answer.
        seed: Chooses among equally good rewrites; the same request gives the same text.
    """

    task: str
    text: str
    context: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What became of a request.

    Attributes:
        status: `ok`: `text` is a rewrite; `unchanged`: nothing to change; `rejected`: what was
            made is not fit to use; `failed`: nothing was made. Only `ok` enters the data.
        text: The rewrite where ok, the text of the request otherwise.
        reason: How it was made, or why not.
    """

    status: Status
    text: str
    reason: str


@runtime_checkable
class TextGenerator(Protocol):
    """Rewrites texts."""

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return one outcome per request, in the same order."""
        ...
