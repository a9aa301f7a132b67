"""What only a teacher reads: the context of an example, before what is asked.

It stands in the teacher's prompt alone. Targets are of answer tokens and joined by example id, so
nothing else of a training knows of it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.models.prompt_format import Asked, fields_of
from kd_kedro.text.transcript import Message, as_question, write_transcript
from kd_kedro.training.examples import asked_of, encode_examples

if TYPE_CHECKING:  # torch would make every kedro command slow
    from kd_kedro.models.encoding import Example, Prompts


def teacher_asked_of(examples: pd.DataFrame) -> list[Asked]:
    """Return what each example asks a teacher, in order.

    The context stands before the question, an empty line between them; in a conversation before
    what the user said last.
    """
    return [
        _asked_with(context, asked) if context else asked
        for context, asked in zip(examples["context"], asked_of(examples), strict=True)
    ]


def teacher_questions_of(examples: pd.DataFrame) -> list[str]:
    """Return the question of each example, its context before it, in order.

    What a model is told before a question makes a transcript of the two: its answer follows both.
    """
    return [_whole_question(fields_of(asked)) for asked in teacher_asked_of(examples)]


def teacher_prompts(examples: pd.DataFrame, tokenizer: Any) -> "Prompts":
    """Return the token ids of a teacher's prompt by the id of each example that has a context.

    They are whole: a context is never cut.
    """
    from kd_kedro.models.encoding import encode_prompts

    own = with_context(examples)
    prompts = encode_prompts(tokenizer, teacher_asked_of(own)) if len(own) else []
    return dict(zip(own["example_id"].astype(str), prompts, strict=True))


def encode_for_teacher(examples: pd.DataFrame, tokenizer: Any, max_length: int) -> "list[Example]":
    """Return examples as a teacher reads them, in order.

    The answers are, token for token, those that students learn; `max_length` is theirs.
    """
    from kd_kedro.models.encoding import with_prompts

    rows = encode_examples(examples, tokenizer, max_length)
    return with_prompts(rows, teacher_prompts(examples, tokenizer))


def teacher_length(examples: pd.DataFrame, tokenizer: Any, max_length: int) -> int:
    """Return the most tokens of a teacher's prompt and answer together.

    It is `max_length` and what contexts add to it at most, so that a teacher has room for every
    answer that a student has room for.
    """
    own = with_context(examples)
    prompts = teacher_prompts(own, tokenizer)
    rows = encode_examples(own, tokenizer, max_length) if len(own) else []
    added = [len(prompts[row.row_id]) - row.answer_start for row in rows]
    return max_length + max(added, default=0)


def with_context(examples: pd.DataFrame) -> pd.DataFrame:
    """Return the examples that have a context."""
    return examples[examples["context"] != ""]


def _asked_with(context: str, asked: Asked) -> Asked:
    if isinstance(asked, str):
        return _before(context, asked)
    changed = {**asked, "question": _before(context, str(asked["question"]))}
    if messages := asked.get("messages"):
        changed["messages"] = _said_with(context, messages)
        changed["question"] = as_question(_pairs(changed["messages"]))
    return changed


def _whole_question(fields: Mapping[str, Any]) -> str:
    messages = fields.get("messages", ())
    told = bool(messages) and messages[0]["role"] == "system"
    return write_transcript(_pairs(messages)) if told else str(fields["question"])


def _pairs(messages: Sequence[Mapping[str, str]]) -> list[Message]:
    return [(each["role"], each["content"]) for each in messages]


def _said_with(context: str, messages: list[Mapping[str, str]]) -> list[Mapping[str, str]]:
    users = [place for place, each in enumerate(messages) if each["role"] == "user"]
    place = users[-1] if users else len(messages) - 1
    last = {**messages[place], "content": _before(context, messages[place]["content"])}
    return [*messages[:place], last, *messages[place + 1 :]]


def _before(context: str, text: str) -> str:
    return f"{context}\n\n{text}"
