"""Examples as conversations, in the form that other trainers and data libraries read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kd_kedro.curation.records.schema import further_columns
from kd_kedro.models.prompt_format import CHAT, PromptFormat, fields_of
from kd_kedro.storage.atomic import writing
from kd_kedro.training.examples import EXAMPLE_COLUMNS, asked_of

Message = Mapping[str, str]


def as_messages(examples: pd.DataFrame, how: PromptFormat) -> pd.DataFrame:
    """Return examples with the column `messages`, a list of role and content, before the others.

    The last message is the assistant's, the answer. A chat begins with the system message of the
    format where it has none. A text is a message of the user as it stands in the row: the chat
    template of a student's tokenizer makes its prompt of it. What only a teacher may read, and
    further columns of the sheet, are left out.

    Args:
        examples: The table of examples.
        how: How models are asked.
    """
    talks = [
        [*_prompt(fields_of(asked), how), {"role": "assistant", "content": answer}]
        for asked, answer in zip(asked_of(examples), examples["answer"], strict=True)
    ]
    further = {*further_columns(examples)} - {*EXAMPLE_COLUMNS, "outcome"}
    others = examples.drop(columns=["fields", "context", "answer", *further])
    messages = pd.Series(talks, index=examples.index, dtype="object")
    return pd.concat([messages.rename("messages"), others], axis=1)


def write_messages(table: pd.DataFrame, path: Path) -> None:
    """Write what `as_messages` returns as JSON lines or as Parquet, by the ending of the path.

    Raises:
        OSError: The file cannot be written.
        ValueError: The path ends in neither .jsonl nor .parquet.
    """
    if path.suffix not in (".jsonl", ".parquet"):
        raise ValueError(f"{path} ends in neither .jsonl nor .parquet: name a file that does")
    unfinished = path.with_name(f".{path.name}.unfinished")
    with writing(path):
        if path.suffix == ".jsonl":
            lines = (json.dumps(row, ensure_ascii=False) for row in table.to_dict("records"))
            unfinished.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        else:
            table.to_parquet(unfinished, index=False)
        unfinished.replace(path)


def _prompt(fields: Mapping[str, Any], how: PromptFormat) -> Sequence[Message]:
    user = [{"role": "user", "content": str(fields["question"])}]
    said: Sequence[Message] = fields.get("messages") or user
    if how.template != CHAT or not how.system or said[0]["role"] == "system":
        return said
    return [{"role": "system", "content": how.system}, *said]
