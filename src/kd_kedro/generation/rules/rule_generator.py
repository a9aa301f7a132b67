"""The text generator that needs no model: rewriting by rules, the same every time."""

import hashlib
import random
from collections.abc import Collection, Sequence

from tqdm import tqdm

from kd_kedro.generation.protocol import Outcome, Request
from kd_kedro.generation.rules import cloze, styles
from kd_kedro.generation.rules.synonyms import exchange
from kd_kedro.generation.rules.typos import add_typos
from kd_kedro.text.language import language
from kd_kedro.text.layout import around_code, has_layout

_STYLES: dict[str, styles.Rewrite] = {
    "formal": styles.formal,
    "casual": styles.casual,
    "general": styles.general,
    "rephrase": styles.general,
}
_TASKS = ("fitb", "mcq", "relevance", "typo", *_STYLES)
_FOREIGN = "rules write English; this is "
_UNTOLD = "in no language that can be told"
# They put English words beside those of a text, or misspell it as English is typed.
_ENGLISH_TASKS = ("fitb", "mcq", "typo", *_STYLES)


SYNONYMS = 2  # words of a rewrite that are said otherwise, at most


class RulesGenerator:
    """Rewrites by grammar rules, frames and a model of typing errors.

    Args:
        typo_share: Share of the words of a text that get a typing error, 0 to 1.
    """

    def __init__(self, typo_share: float = 0.25) -> None:
        if not 0 < typo_share <= 1:
            raise ValueError(
                f"typo_share of text_generator is {typo_share}: set a share above 0 and at most 1"
            )
        self.typo_share = typo_share

    @property
    def tasks(self) -> Collection[str]:
        """The tasks there are rules for."""
        return _TASKS

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return one outcome per request, in the same order.

        Raises:
            ValueError: A request has a task that rules cannot do.
        """
        few = len(requests) < 1000
        bar = tqdm(requests, desc="rewriting by rules", unit="text", disable=few or None)
        return [self._generate(request) for request in bar]

    def _generate(self, request: Request) -> Outcome:
        if request.task in _ENGLISH_TASKS:
            known = (request.context.get(name, "") for name in ("answer", "options"))
            told = language(request.text, "\n".join(known)) or _UNTOLD
            if told != "English":
                return Outcome("unchanged", request.text, f"{_FOREIGN}{told}")
        if request.task in ("fitb", "mcq"):
            return _ask(request)
        if request.task == "relevance":
            return Outcome("unchanged", request.text, "rules have no opinion on relevance")
        rng = random.Random(_seed(request))
        if request.task == "typo":
            misspelt = around_code(
                request.text, lambda text: [add_typos(text, self.typo_share, rng)]
            )
            return _outcome(request, misspelt, "typo", rng)
        if request.task in _STYLES:
            rewrites = around_code(request.text, _STYLES[request.task])
            return _outcome(request, rewrites, request.task, rng)
        raise ValueError(
            f"the rules generator has no task {request.task}: use one of {', '.join(_TASKS)}"
        )


def _ask(request: Request) -> Outcome:
    if cloze.BLANK not in request.text:
        return Outcome("unchanged", request.text, "no blank in the text")
    if has_layout(request.text) or request.text.rstrip().endswith(("{", "}", ";")):
        return Outcome("unchanged", request.text, "its lines are code, a list or a table")
    question, how = cloze.ask(request.text)
    return Outcome("ok", question, how)


def _outcome(request: Request, rewrites: list[str], how: str, rng: random.Random) -> Outcome:
    """Return one of the rewrites, with a few of its words said otherwise."""
    fresh = list(dict.fromkeys(text for text in rewrites if text != request.text))
    if not fresh:
        return Outcome("unchanged", request.text, f"no {how} rule fits")
    text = rng.choice(fresh)
    if how in _STYLES:
        text = around_code(text, lambda prose: [exchange(prose, how, SYNONYMS, rng)])[0]
    return Outcome("ok", text, f"rules: {how}")


def _seed(request: Request) -> int:
    key = f"{request.seed}\x1f{request.task}\x1f{request.text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big")
