"""Rows that are longer than `examples.max_length`, counted before anything is trained."""

import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd

from kd_kedro.pipelines.distillation.models import STUDENT
from kd_kedro.pipelines.distillation.params import MOST_TOKENS, ExampleParams
from kd_kedro.training.contexts import encode_for_teacher, with_context
from kd_kedro.training.examples import ORIGINAL, example_lengths, make_examples, place_of
from kd_kedro.training.lengths import (
    Facts,
    count_long_rows,
    counts_sentence,
    longest_row,
    too_many_long_rows,
)

logger = logging.getLogger(__name__)

_MAX_CUT_SHARE = "distillation.examples.max_cut_share"
_TEACHER = "distillation.teacher.pretrained"
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
        ValueError: More rows are longer than `params.max_cut_share` allows, or a row is longer with
            its context than a teacher reads.
    """
    examples = (training_examples, validation_examples, augmented_qa)
    facts = _count(*examples, tokenizer, params)
    _check_contexts(pd.concat(examples[:2]), tokenizer, params.max_length, teacher, ensemble)
    _tell(facts, params, teacher=teacher)
    return facts, params.max_length


def check_student_lengths(
    training_examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    augmented_qa: pd.DataFrame,
    params: ExampleParams,
    tokenizer: str,
) -> Facts:
    """Count the rows that will be cut in the tokens of a student that has its own tokenizer.

    Args:
        training_examples: What is learned from.
        validation_examples: What early stopping looks at.
        augmented_qa: Its held-out rows are counted as well.
        params: The length, and the share of rows that may be longer.
        tokenizer: Hub name or folder of the student's own tokenizer; empty where it has none.

    Raises:
        ValueError: More rows are longer than `params.max_cut_share` allows.
    """
    if not tokenizer:
        return count_long_rows({}, params.max_length)
    examples = (training_examples, validation_examples, augmented_qa)
    facts = _count(*examples, _own(tokenizer, params), params)
    _tell(facts, params, _IN_ITS_TOKENS)
    return facts


def length_notes(
    training_examples: pd.DataFrame,
    validation_examples: pd.DataFrame,
    augmented_qa: pd.DataFrame,
    tokenizer: Any,
    params: ExampleParams,
    teacher: str,
    ensemble: Sequence[str],
    student_tokenizer: str,
) -> tuple[str, ...]:
    """Return what a run would say of long rows, or stop with, as sentences.

    Raises:
        ValueError: A row is longer with its context than a teacher reads.
    """
    examples = (training_examples, validation_examples, augmented_qa)
    _check_contexts(pd.concat(examples[:2]), tokenizer, params.max_length, teacher, ensemble)
    counted = [(_count(*examples, tokenizer, params), "", teacher)]
    if student_tokenizer:
        own = _own(student_tokenizer, params)
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


def _check_contexts(
    examples: pd.DataFrame, tokenizer: Any, max_length: int, first: str, ensemble: Sequence[str]
) -> None:
    """Refuse a context that does not stand whole before a teacher.

    A teacher that is made here is given the positions that it needs.
    """
    from kd_kedro.models.build import outline
    from kd_kedro.models.causal_lm import positions, tokens_read

    own = with_context(examples)
    if own.empty:
        return
    teachers = {_TEACHER: first} | {
        f"distillation.ensemble.pretrained.{place}": name for place, name in enumerate(ensemble)
    }
    rows = encode_for_teacher(own, tokenizer, max_length)
    for key, name in teachers.items():
        model = outline(name, key) if name else None
        most = positions(model) if model else MOST_TOKENS
        sizes = [tokens_read(model, row) if model else len(row.input_ids) for row in rows]
        if max(sizes) > most:
            place = sizes.index(max(sizes))
            who = f"{key} '{name}'" if name else "a teacher that is made here"
            raise ValueError(
                f"{place_of(own.iloc[place])} has {sizes[place]} tokens with its context, but "
                f"{who} reads at most {most}, and a context is not cut: shorten it, or take a "
                "teacher that reads more"
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
