"""The table of examples: all that training and evaluation know of the data, whatever the task.

Every table of examples has the columns `EXAMPLE_COLUMNS`; columns that are not known here
pass through.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.curation.records.schema import SYSTEM
from kd_kedro.models.prompt_format import Asked
from kd_kedro.storage.fingerprints import first_by_hash
from kd_kedro.text.transcript import Message, as_question, read_transcript, reply_places

if TYPE_CHECKING:  # torch would make every kedro command slow
    from kd_kedro.models.encoding import Example

# example_id: what teacher targets are joined by; row_id: the row it was made of.
# fields: what the prompt is made of, a JSON object. context: what only a teacher may read.
# weight: 1, or 0 where nothing is learned from it. teacher: whose targets it has, where several.
EXAMPLE_COLUMNS = [
    "example_id",
    "row_id",
    "family_id",
    "split",
    "task",
    "style",
    "fields",
    "context",
    "answer",
    "weight",
    "teacher",
]
QUESTION_ANSWERING = "question_answering"
ORIGINAL = "original"
_TAKEN_OVER = ("row_id", "family_id", "split", "style", "answer")  # columns of a split table


def make_examples(
    rows: pd.DataFrame, fields: Sequence[str] = ("question",), task: str = QUESTION_ANSWERING
) -> pd.DataFrame:
    """Return rows of a split table as examples, in their order.

    Args:
        rows: Text columns row_id, family_id, split, style, question, answer, teacher where rows
            name theirs, context where only a teacher reads it, and system where a model is told
            something before; others pass through.
        fields: The columns that the prompt is made of.
        task: What is asked of a model.

    Returns:
        Columns `EXAMPLE_COLUMNS`, then those that are not known here.

    Raises:
        ValueError: There is no such column.
    """
    if missing := [name for name in fields if name not in rows]:
        raise ValueError(
            f"the template of distillation.examples.format has the field {missing[0]}, which is no "
            f"column of augmented_qa; it has {', '.join(rows.columns)}: name the sheet's column "
            f"of it as columns.{missing[0]}"
        )
    told = rows[SYSTEM].astype(str) if SYSTEM in rows else [""] * len(rows)
    asked = rows[list(fields)].astype(str).to_dict("records")
    prompts = [
        json.dumps(_prompt(values, system), ensure_ascii=False)
        for values, system in zip(asked, told, strict=True)
    ]
    known = {
        **{name: rows[name].astype(str) for name in _TAKEN_OVER},
        "example_id": rows["row_id"].astype(str),
        "task": task,
        "fields": pd.Series(prompts, index=rows.index, dtype="str"),
        "context": rows["context"].astype(str) if "context" in rows else "",
        "weight": "1",
        "teacher": rows["teacher"].astype(str) if "teacher" in rows else "",
    }
    used = {*EXAMPLE_COLUMNS, "question"}
    others = {name: rows[name] for name in rows.columns if name not in used}
    table = pd.DataFrame({name: known[name] for name in EXAMPLE_COLUMNS}, rows.index)
    return table.astype("str").assign(**others).reset_index(drop=True)


def questions_of(examples: pd.DataFrame) -> list[str]:
    """Return the question of each example, in order."""
    return [str(json.loads(fields)["question"]) for fields in examples["fields"]]


def asked_of(examples: pd.DataFrame) -> list[Asked]:
    """Return what each example asks, in order: its question, or the fields of its prompt.

    Rows that are no examples ask their question.
    """
    if "fields" not in examples:
        return list(examples["question"])
    return [_asked(json.loads(fields)) for fields in examples["fields"]]


def _prompt(fields: dict[Any, Any], system: str) -> dict[Any, Any]:
    """Return the fields of a prompt, with messages where more is said than one question."""
    question = fields["question"]
    messages = read_transcript(question)
    if not messages and not system:
        return fields
    messages = messages or [("user", question)]
    if system and messages[0][0] != "system":
        messages = [("system", system), *messages]
    return _with_messages(fields, messages)


def _with_messages(fields: Mapping[Any, Any], messages: Sequence[Message]) -> dict[Any, Any]:
    """Return the fields of a prompt as they are of messages.

    A system message stands in a transcript; beside a question alone it is a field of its own,
    where the prompt has one.
    """
    said = [{"role": role, "content": text} for role, text in messages]
    own = {"question": as_question(messages), "messages": said}
    if SYSTEM in fields:
        beside_one = len(messages) == 2 and messages[0][0] == "system"
        own[SYSTEM] = messages[0][1] if beside_one else ""
    return {**fields, **own}


def _asked(fields: Mapping[str, Any]) -> Asked:
    return fields["question"] if set(fields) == {"question"} else fields


def choose_training_examples(
    augmented_qa: pd.DataFrame,
    styles: Sequence[str],
    max_augmented_rows: int,
    fields: Sequence[str] = ("question",),
    *,
    all_turns: bool = False,
) -> pd.DataFrame:
    """Return the examples of the train split that models learn from.

    Args:
        augmented_qa: The rows of all splits with their rewrites.
        styles: Which styles are chosen.
        max_augmented_rows: Most rewrites, chosen by a hash; they follow the original rows.
        fields: The columns that the prompt is made of.
        all_turns: Whether what an assistant says earlier in a conversation is learned too, each
            time as an example of its own.

    Raises:
        ValueError: There is none, or a row_id is there twice.
    """
    rows = augmented_qa.reset_index(drop=True)
    chosen = rows[(rows["split"] == "train") & rows["style"].isin(styles)]
    original = chosen["style"] == ORIGINAL
    ordered = pd.concat([chosen[original], _by_hash(chosen[~original], max_augmented_rows)])
    if ordered.empty:
        raise ValueError(
            f"augmented_qa has no row in split train of the styles {', '.join(styles)}; "
            "distillation needs rows to train on"
        )
    if chosen["row_id"].duplicated().any():
        twice = chosen["row_id"][chosen["row_id"].duplicated()].iloc[0]
        raise ValueError(f"augmented_qa has the row_id {twice} twice; make augmented_qa again")
    examples = make_examples(ordered, fields)
    return with_earlier_turns(examples) if all_turns else examples


def with_earlier_turns(examples: pd.DataFrame) -> pd.DataFrame:
    """Return examples with those of the earlier turns of conversations before their own."""
    records = []
    for example in examples.to_dict("records"):
        fields = json.loads(example["fields"])
        messages = [(each["role"], each["content"]) for each in fields.get("messages", ())]
        for place in reply_places(messages):
            earlier = _with_messages(fields, messages[:place])
            records.append(
                {
                    **example,
                    "example_id": f"{example['example_id']}-turn-{place}",
                    "fields": json.dumps(earlier, ensure_ascii=False),
                    "answer": messages[place][1],
                }
            )
        records.append(example)
    return pd.DataFrame(records, columns=examples.columns).astype(examples.dtypes)


def choose_validation_examples(
    augmented_qa: pd.DataFrame, count: int, fields: Sequence[str] = ("question",)
) -> pd.DataFrame:
    """Return at most `count` examples of the validation split, chosen by a hash."""
    rows = augmented_qa.reset_index(drop=True)
    return make_examples(_by_hash(rows[rows["split"] == "validation"], count), fields)


def calibration_examples(examples: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return at most `count` examples on which models are measured, chosen by a hash."""
    return _by_hash(examples.reset_index(drop=True), count)


def learned(examples: pd.DataFrame) -> pd.DataFrame:
    """Return the examples that are learned from, those without a weight left out.

    Raises:
        ValueError: A weight is neither 0 nor 1.
    """
    weights = examples["weight"].astype(float)
    if not weights.isin([0, 1]).all():
        first = examples[~weights.isin([0, 1])].iloc[0]
        raise ValueError(
            f"example {first['example_id']} has the weight {first['weight']}: it is 1, or 0 where "
            "nothing is to be learned from it"
        )
    return examples[weights == 1]


def triples(examples: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return example_id, question and answer of each example: what a fingerprint is taken of.

    Where the prompt is made of more than a question, its fields stand for it; where a teacher reads
    a context, it stands before them.
    """
    ids, answers = (examples[name].astype(str) for name in ("example_id", "answer"))
    asked = [
        _fingerprinted([context, each] if context else each)
        for context, each in zip(examples["context"], asked_of(examples), strict=True)
    ]
    return list(zip(ids, asked, answers, strict=True))


def _fingerprinted(asked: Any) -> str:
    return asked if isinstance(asked, str) else json.dumps(asked, sort_keys=True)


def teachers_named(examples: pd.DataFrame) -> dict[str, str]:
    """Return the name of the teacher that each example names, by its id; others are absent."""
    pairs = zip(examples["example_id"].astype(str), examples["teacher"].astype(str), strict=True)
    return {example: name for example, name in pairs if name}


def check_teachers(examples: pd.DataFrame, known: Sequence[str]) -> None:
    """Refuse examples that name a teacher there is not.

    Raises:
        ValueError: The message names the row and what it says.
    """
    for _, example in examples.iterrows():
        name = str(example["teacher"])
        if name and name not in known:
            raise ValueError(
                f"{place_of(example)} names the teacher '{name}', but the teachers of this run are "
                f"{', '.join(known)} (distillation.ensemble): name one of these in its column "
                "teacher, or leave it empty for the mean of all"
            )


def encode_examples(examples: pd.DataFrame, tokenizer: Any, max_length: int) -> "list[Example]":
    """Return examples as tokens, in order.

    Args:
        examples: The table.
        tokenizer: A fast tokenizer with an end-of-sequence token.
        max_length: Most tokens of prompt and answer together; longer ones are cut.
    """
    from kd_kedro.models.encoding import encode

    ids, answers = (list(examples[name].astype(str)) for name in ("example_id", "answer"))
    return encode(tokenizer, ids, asked_of(examples), answers, max_length)


def example_lengths(examples: pd.DataFrame, tokenizer: Any) -> dict[str, int]:
    """Return the tokens of each example by its id, before `encode_examples` cuts it.

    Raises:
        ValueError: A chat template does not take an example's conversation.
    """
    from kd_kedro.models.encoding import whole_lengths
    from kd_kedro.models.literal_chat import PromptRefusedError

    ids, answers = list(examples["example_id"]), list(examples["answer"])
    try:
        lengths = whole_lengths(tokenizer, asked_of(examples), answers)
    except PromptRefusedError as error:
        example = examples.iloc[error.place]
        unread = ", or read no system messages (columns.system=null)" if example.get(SYSTEM) else ""
        raise ValueError(
            f"{place_of(example)} cannot be asked: {error}; correct or remove its row, or take "
            f"another distillation.examples.format{unread}"
        ) from error
    return dict(zip(ids, lengths, strict=True))


def place_of(example: Any) -> str:
    """Return where an example comes from, for messages."""
    line = f"line {example['line']}" if "line" in example else ""
    return ", ".join(filter(None, [example.get("source"), line, f"row {example['row_id']}"]))


def _by_hash(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return at most `count` rows, a choice that follows neither the sheet's order nor a seed."""
    return rows.iloc[first_by_hash(rows["row_id"].astype(str), count)]
