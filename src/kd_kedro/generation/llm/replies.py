"""From what a language model replied to an outcome: only a clean text is `ok`.

What surrounds a good text (a lead that ends in a colon, quotes around the whole) is taken off
where that is certain; everything doubtful is rejected.
"""

import re
from dataclasses import dataclass

from kd_kedro.generation.llm.reply_defects import answer_defect, repeats_prompt, reply_defect
from kd_kedro.generation.prompts import Message
from kd_kedro.generation.protocol import Request, Status
from kd_kedro.text.normalise import words_only

YES_NO = ("yes", "no")

_LEAD = re.compile(
    r"\A\W*(?:(?:sure|certainly|of course|absolutely|okay|ok)\b[^:\n]{0,60}?)?"
    r"(?:(?:here(?:['’]s| is)|this is)\b[^:?\n]{0,80}|"
    r"(?:(?:the|my)\s+)?(?:(?:formal|casual|general|simple|final|possible)\s+)?"
    r"(?:rephrased|rewritten|reworded|paraphrased?|converted)?\s*"
    r"(?:question|version|rephrasing|rewrite|paraphrase|output|statement|q))"
    r"[*\"]*\s*:\**\s*",
    re.IGNORECASE,
)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "`": "`"}


@dataclass(frozen=True)
class Reply:
    """What a model sent back.

    Attributes:
        text: Its words, as they came.
        finish: Why it stopped: `stop`, `length`, `content_filter` or another word of a server.
        prompt_tokens: Tokens it read.
        completion_tokens: Tokens it wrote.
    """

    text: str
    finish: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


def judge_reply(request: Request, messages: list[Message], reply: Reply) -> tuple[Status, str, str]:
    """Return status, text and reason of a reply: `ok`, `unchanged` or `rejected`."""
    defect = _finish_defect(reply.finish)
    text = "" if defect else bare_text(request, reply.text)
    if not defect and request.task == "relevance":
        return _judge_verdict(request, text)
    if not defect and request.task == "answer":
        return _judge_answer(request, messages, text)
    if not defect and text and words_only(text) == words_only(request.text):
        return "unchanged", request.text, "the model changed nothing"
    defect = defect or reply_defect(request, messages, text)
    if defect:
        return "rejected", request.text, defect
    return "ok", text, f"model: {request.task}"


def bare_text(request: Request, reply: str) -> str:
    """Return a reply without its thoughts, its lead and the quotes that surround the whole."""
    text = _THOUGHT.sub("", reply).strip()
    lead = _LEAD.match(text)
    if lead and not request.text.lower().startswith(lead.group().strip().lower()):
        text = text[lead.end() :].strip()
    text = text.removeprefix("**").removesuffix("**").strip() if text.startswith("**") else text
    closing = _QUOTES.get(text[:1], "")
    inside = text[1:-1]
    if (
        len(text) > 2
        and closing
        and text.endswith(closing)
        and text[0] not in inside
        and closing not in inside
        and not (request.text[:1] == text[0] and request.text[-1:] == closing)
    ):
        text = inside.strip()
    return text


def _judge_answer(request: Request, messages: list[Message], text: str) -> tuple[Status, str, str]:
    # Large models run on past their answer into a question of their own: it ends at a blank line.
    text = re.split(r"\n\s*\n", text, maxsplit=1)[0].strip()
    defect = answer_defect(request.text, text) or repeats_prompt(request, messages, text)
    return ("rejected", request.text, defect) if defect else ("ok", text, "model: answer")


def _judge_verdict(request: Request, text: str) -> tuple[Status, str, str]:
    found = {word for word in YES_NO if re.search(rf"\b{word}\b", text.lower())}
    first = re.match(r"\W*(yes|no)\b", text.lower())
    if not first or len(found) != 1:
        return "rejected", request.text, f"neither yes nor no: {text[:60]!r}"
    return "ok", first[1], "model: relevance"


def _finish_defect(finish: str) -> str:
    if finish == "length":
        return "cut off at max_tokens"
    if finish == "content_filter":
        return "refusal: the server's content filter"
    return "" if finish == "stop" else f"not known to be whole: the server ended it with {finish!r}"
