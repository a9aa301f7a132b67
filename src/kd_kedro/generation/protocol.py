"""What every text generator understands: a request in, an outcome out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Status = Literal["ok", "unchanged", "rejected", "failed"]


@dataclass(frozen=True)
class Request:
    """One text to rewrite.

    Attributes:
        task: What to do. `fitb` turns a statement with blanks (each written `____`) into a
            question, `mcq` does so with a stem whose options are gone; `relevance` says `yes` or
            `no` to whether a question belongs to the domain; `rephrase`, `formal`, `casual`,
            `general` and `typo` write a question anew without changing what it asks; `answer`
            answers it.
        text: The text.
        context: What the generator may know besides: `answer`, `options`, `examples`.
        seed: Chooses among equally good rewrites; the same request gives the same text.
    """

    task: str
    text: str
    context: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What became of a request.

    What each status does to the row: `ok` alone lets the text into the data, and only where the
    node's own gates pass it too. With `unchanged`, `rejected` and `failed` a row keeps the text
    it had, a rewrite of it is absent, and `row_events` says why.

    Attributes:
        status: `ok`: `text` is a rewrite; `unchanged`: nothing to change; `rejected`: what was
            made is not fit to use; `failed`: nothing was made.
        text: The rewrite where ok, the text of the request otherwise.
        reason: The way it was made, or why it was not.
        evidence: Who made it: model, version of the prompt, tokens. Empty for rules.
    """

    status: Status
    text: str
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class TextGenerator(Protocol):
    """Rewrites texts."""

    @property
    def tasks(self) -> Collection[str]:
        """The tasks it can do."""
        ...

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return one outcome per request, in the same order."""
        ...
