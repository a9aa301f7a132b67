"""Rows that are longer than `examples.max_length`, or than a model reads, told before training."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_kedro.models.causal_lm import LanguageModel  # imports nothing heavy
from kd_kedro.pipelines.distillation.models import STUDENT
from kd_kedro.pipelines.distillation.params import MOST_TOKENS, ExampleParams
from kd_kedro.training.contexts import encode_for_teacher, with_context
from kd_kedro.training.examples import (
    ORIGINAL,
    encode_examples,
    example_lengths,
    make_examples,
    place_of,
)
from kd_kedro.training.lengths import (
    Facts,
    count_long_rows,
    counts_sentence,
    longest_row,
    too_many_long_rows,
)

if TYPE_CHECKING:  # torch would make every kedro command slow
    from kd_kedro.models.encoding import Example

logger = logging.getLogger(__name__)

_MAX_CUT_SHARE = "distillation.examples.max_cut_share"
_TEACHER = "distillation.teacher.pretrained"
_STUDENT = f"{STUDENT}.pretrained"
_IN_ITS_TOKENS = f"in the tokens of {STUDENT}.tokenizer "
_NAMED = 3  # rows that a refusal names


def check_lengths(
    training_examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    params: ExampleParams,
    teacher: str,
    ensemble: Sequence[str] = (),
) -> tuple[Facts, int]:
    """Count the rows that will be cut, before the first model is trained.

    A context is cut nowhere: one that a teacher cannot read whole is refused.

    Args:
        training_examples: What is learned from.
        validation_examples: What early stopping looks at.
        augmented_qa: Its held-out rows are counted as well.
        tokenizer: The tokenizer of teacher and students.
        params: The length, and the share of rows that may be longer.
        teacher: Hub name or folder of a pretrained teacher; empty where it is made here.
        ensemble: Those of the other teachers that are pretrained.

    Returns:
        What `count_long_rows` tells, and the length, with which the trainings may begin.

    Raises:
        ValueError: More rows are longer than `params.max_cut_share` allows, or a row is longer,
            with its context, than a teacher reads.
    """
    examples = (training_examples, validation_examples, augmented_qa)
    facts = _count(*examples, tokenizer, params)
    _check_teachers(pd.concat(examples[:2]), tokenizer, params.max_length, teacher, ensemble)
    _tell(facts, params, teacher=teacher)
    return facts, params.max_length


def check_student_lengths(
    training_examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    params: ExampleParams,
    student_tokenizer: str,
    student: str = "",
) -> Facts:
    """Count the rows that will be cut in the tokens of a student that has its own tokenizer.

    Whichever it has, a row that a pretrained student cannot read is refused.

    Args:
        training_examples: What is learned from.
        validation_examples: What early stopping looks at.
        augmented_qa: Its held-out rows are counted as well.
        tokenizer: The tokenizer of the teacher, and of a student without its own.
        params: The length, and the share of rows that may be longer.
        student_tokenizer: Hub name or folder of the student's own tokenizer; empty where it has
            none.
        student: Hub name or folder of a pretrained student; empty for any other.

    Raises:
        ValueError: More rows are longer than `params.max_cut_share` allows, or a row is longer than
            the student reads.
    """
    own = _own(student_tokenizer, params) if student_tokenizer else tokenizer
    examples = (training_examples, validation_examples, augmented_qa)
    _check_student(pd.concat(examples[:2]), own, params.max_length, student)
    if not student_tokenizer:
        return count_long_rows({}, params.max_length)
    facts = _count(*examples, own, params)
    _tell(facts, params, _IN_ITS_TOKENS)
    return facts


def check_served(examples: pd.DataFrame, teacher: LanguageModel, max_length: int) -> None:
    """Refuse a row that a teacher behind a server cannot read whole, where the server says so.

    Args:
        examples: What students learn from.
        teacher: The teacher, who may be in this process: then nothing is asked.
        max_length: Most tokens of an example without its context.

    Raises:
        ValueError: The message names row, tokens and limit.
    """
    most = teacher.server.positions() if teacher.server is not None else None
    if most is None:
        return
    rows = encode_for_teacher(examples, teacher.tokenizer, max_length)
    who = f"the teacher behind the server at {teacher.server.options.base_url}"
    _refuse_unread(examples, rows, None, most, who, "let it read more (--max-model-len of vLLM)")


def length_notes(
    training_examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    params: ExampleParams,
    teacher: str,
    ensemble: Sequence[str],
    student_tokenizer: str,
    student: str,
) -> tuple[str, ...]:
    """Return what a run would say of long rows, or stop with, as sentences.

    Raises:
        ValueError: A row is longer, with its context, than a teacher reads, or than a student does.
    """
    examples = (training_examples, validation_examples, augmented_qa)
    learned = pd.concat(examples[:2])
    own = _own(student_tokenizer, params) if student_tokenizer else tokenizer
    _check_teachers(learned, tokenizer, params.max_length, teacher, ensemble)
    _check_student(learned, own, params.max_length, student)
    counted = [(_count(*examples, tokenizer, params), "", teacher)]
    if student_tokenizer:
        counted.append((_count(*examples, own, params), _IN_ITS_TOKENS, ""))
    said = []
    for facts, where, model in counted:
        sentence = _sentence(facts, params, where, model)
        stops = "a run would stop before training: " if too_many_long_rows(facts) else ""
        said.append(f"{stops}{sentence}")
    return tuple(filter(None, said))


def _own(tokenizer: str, params: ExampleParams) -> Any:
    from kd_kedro.models.tokenization import load_pretrained_tokenizer

    return load_pretrained_tokenizer(tokenizer, f"{STUDENT}.tokenizer", params.prompt_format)


def _count(
    training_examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    params: ExampleParams,
) -> Facts:
    held_out = augmented_qa[(augmented_qa["split"] == "test") & (augmented_qa["style"] == ORIGINAL)]
    parts = {
        "training": training_examples,
        "validation": validation_examples,
        "held-out": make_examples(held_out, params.fields),
    }
    lengths = {part: example_lengths(examples, tokenizer) for part, examples in parts.items()}
    return count_long_rows(lengths, params.max_length, params.max_cut_share)


def _check_teachers(
    examples: pd.DataFrame, tokenizer: Any, max_length: int, first: str, ensemble: Sequence[str]
) -> None:
    """Refuse a row that does not stand whole before a teacher.

    A teacher that is made here is given the positions that it needs; what one behind a server reads
    is not known yet (`check_served`).
    """
    from kd_kedro.models.build import outline
    from kd_kedro.models.causal_lm import positions

    named = {_TEACHER: first} | {
        f"distillation.ensemble.pretrained.{place}": name for place, name in enumerate(ensemble)
    }
    has_context = len(with_context(examples)) > 0
    teachers = {key: name for key, name in named.items() if name or has_context}
    rows = encode_for_teacher(examples, tokenizer, max_length) if teachers else []
    for key, name in teachers.items():
        model = outline(name, key) if name else None
        most = positions(model) if model else MOST_TOKENS
        who = f"{key} '{name}'" if name else "a teacher that is made here or behind a server"
        _refuse_unread(examples, rows, model, most, who, "take a teacher that reads more")


def _check_student(examples: pd.DataFrame, tokenizer: Any, max_length: int, name: str) -> None:
    """Refuse a row that a pretrained student cannot read; other students are made for the rows."""
    from kd_kedro.models.build import outline
    from kd_kedro.models.causal_lm import positions

    if not name:
        return
    model = outline(name, _STUDENT)
    rows = encode_examples(examples, tokenizer, max_length)
    alone = examples.assign(context="")  # which a student never reads
    who = f"{_STUDENT} '{name}'"
    _refuse_unread(alone, rows, model, positions(model), who, "take a student that reads more")


def _refuse_unread(
    examples: pd.DataFrame, rows: "Sequence[Example]", model: Any, most: int, who: str, more: str
) -> None:
    """Refuse the longest row where a model has not the positions for it.

    Args:
        examples: The rows.
        rows: Their tokens.
        model: The model without its weights; None for a causal model.
        most: The positions it has.
        who: What it is called in the message.
        more: What is to be done where it should read more.
    """
    from kd_kedro.models.causal_lm import tokens_read

    sizes = [tokens_read(model, row) if model else len(row.input_ids) for row in rows]
    if max(sizes, default=0) <= most:
        return
    longest = sizes.index(max(sizes))
    example, row = examples.iloc[longest], rows[longest]
    part, remedy = "", f": lower distillation.examples.max_length, or {more}"
    if example["context"]:
        part, remedy = " with its context", f", and a context is not cut: shorten it, or {more}"
    elif model and model.config.is_encoder_decoder:
        part = f" in its {'question' if len(row.encoder_ids) == sizes[longest] else 'answer'}"
    raise ValueError(
        f"{place_of(example)} has {sizes[longest]} tokens{part}, but {who} reads at most "
        f"{most}{remedy}"
    )


def _tell(facts: Facts, params: ExampleParams, where: str = "", teacher: str = "") -> None:
    sentence = _sentence(facts, params, where, teacher)
    if too_many_long_rows(facts):
        raise ValueError(sentence)
    if sentence:
        logger.warning(sentence)


def _sentence(facts: Facts, params: ExampleParams, where: str, teacher: str) -> str:
    """Return what is to be said of long rows, '' where there is none."""
    if not facts["rows"]:
        return ""
    longest, enough = longest_row(facts), facts["enough"]
    told = f"{where}{counts_sentence(facts)} are longer than {_length(facts['limit'])} tokens"
    if not too_many_long_rows(facts):
        none = f"--params {_length(longest)} cuts none{_room(teacher, longest)}"
        return f"{told} and are cut (length_facts): {none}"
    share = f"{100 * params.max_cut_share:g} %"
    most = f" cuts at most {share} of them and {longest}" if enough < longest else ""
    rows = ", ".join(f"{row['row_id']} with {row['tokens']}" for row in facts["rows"][:_NAMED])
    return (
        f"{told}, question and answer together, and would be cut, the longest being {rows}: "
        f"--params {_length(enough)}{most} cuts none{_room(teacher, longest)}, and --params "
        f"{_MAX_CUT_SHARE}=1 trains on cut rows"
    )


def _length(tokens: int) -> str:
    return f"distillation.examples.max_length={tokens}"


def _room(teacher: str, wanted: int) -> str:
    """Return what a pretrained teacher can read, where that is less than what is wanted."""
    if not teacher:
        return ""
    from kd_kedro.models.build import outline
    from kd_kedro.models.causal_lm import positions

    model = outline(teacher, _TEACHER)
    if model.config.is_encoder_decoder or positions(model) >= wanted:
        return ""
    return (
        f" (but {_TEACHER} '{teacher}' reads at most {positions(model)} tokens: longer rows need "
        "another teacher)"
    )
