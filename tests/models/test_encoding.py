"""Rows become tokens: what is an answer token, and which position predicts it."""

import functools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from kd_kedro.models.encoding import (
    IGNORED,
    Example,
    answer_lengths,
    answered_rows,
    batches_by_length,
    collate,
    encode,
    encode_prompts,
    marks,
    pad_token_id,
    prompt_text,
    whole_lengths,
)
from tests.models.tokenizers_of_kinds import BEGIN, END, KINDS, TEMPLATES, tokenizer_of


def test_prompt_of_training_is_the_prompt_of_generation(tokenizer):
    (example,) = encode(tokenizer, ["r"], ["Paid rent"], ["Debit Rent"], 128)
    (prompt,) = encode_prompts(tokenizer, ["Paid rent"])
    assert list(example.input_ids[: example.answer_start]) == prompt
    assert tokenizer.decode(prompt) == "Question: Paid rent\nAnswer:"
    answer = tokenizer.decode(example.input_ids[example.answer_start : -1])
    assert answer == " Debit Rent"
    assert example.input_ids[-1] == tokenizer.eos_token_id


def test_first_answer_token_is_predicted_from_the_last_prompt_token():
    batch = collate([Example("r", (7, 8, 9, 4, 5), 3)], pad_token_id=0)
    # Prompt 7 8 9, answer 4 5: position 2 (token 9) predicts 4, position 3 predicts 5.
    assert batch.labels.tolist() == [[IGNORED, IGNORED, 4, 5, IGNORED]]


def test_end_of_sequence_is_an_answer_token_even_where_it_is_the_padding_token():
    eos = 0
    batch = collate([Example("a", (7, 4, eos), 1), Example("b", (7, 8, 9, 4, eos), 3)], eos)
    assert batch.input_ids.tolist() == [[7, 4, eos, eos, eos], [7, 8, 9, 4, eos]]
    ignored = [IGNORED] * 2
    assert batch.labels.tolist() == [[4, eos, IGNORED, *ignored], [*ignored, 4, eos, IGNORED]]


def test_a_question_that_quotes_the_end_token_does_not_end_there(tokenizer):
    question = f"What does {tokenizer.eos_token} mean?"
    (example,) = encode(tokenizer, ["r"], [question], [tokenizer.eos_token], 256)
    assert example.input_ids.count(tokenizer.eos_token_id) == 1
    assert tokenizer.decode(example.input_ids[: example.answer_start]).count(question) == 1


def test_an_empty_answer_is_the_end_token_alone(tokenizer):
    (example,) = encode(tokenizer, ["r"], ["Paid rent"], [""], 128)
    assert example.input_ids[example.answer_start :] == (tokenizer.eos_token_id,)


def test_a_long_prompt_loses_its_beginning_and_keeps_the_answer(tokenizer):
    (example,) = encode(tokenizer, ["r"], ["rent " * 100], ["Debit Rent"], 40)
    assert len(example.input_ids) == 40
    assert tokenizer.decode(example.input_ids).endswith("\nAnswer: Debit Rent<|endoftext|>")


def test_a_cut_answer_does_not_end(tokenizer):
    (example,) = encode(tokenizer, ["r"], ["Paid rent"], ["rent " * 100], 40)
    assert len(example.input_ids) == 40
    assert tokenizer.eos_token_id not in example.input_ids


def test_without_a_padding_token_the_end_token_pads(tokenizer):
    class Tokenizer:
        pad_token_id, eos_token_id = None, 3

    assert pad_token_id(Tokenizer()) == 3
    assert pad_token_id(tokenizer) == tokenizer.pad_token_id


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6))
def test_labels_are_exactly_the_answers(sizes):
    rows = [
        Example(str(i), tuple(range(1, prompt + answer + 1)), prompt)
        for i, (prompt, answer) in enumerate(sizes)
    ]
    batch = collate(rows, 0)
    answers = [token for row in rows for token in row.input_ids[row.answer_start :]]
    assert batch.labels[batch.labels != IGNORED].tolist() == answers
    # Shifted: the token after a labelled position is its label.
    following = torch.roll(batch.input_ids, -1, 1)
    assert torch.equal(following[batch.labels != IGNORED], batch.labels[batch.labels != IGNORED])


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 7))
def test_batches_by_length_hold_every_row_once(lengths, size):
    batches = list(batches_by_length(lengths, size))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) <= size for batch in batches)
    seen = [lengths[index] for batch in batches for index in batch]
    assert seen == sorted(seen, reverse=True)


def test_no_rows_are_no_examples(tokenizer):
    assert encode(tokenizer, [], [], [], 64) == []
    with pytest.raises(ValueError, match="zip"):
        encode(tokenizer, ["a"], ["q", "r"], ["s", "t"], 64)


KNOWN = [
    f"{prompt_text('What is cash?')} Money in hand.",
    f"{prompt_text('What is stock?')} Goods held for sale, 5 of them.",
] * 20


@pytest.fixture(scope="module")
def made():
    return functools.cache(lambda kind, template: tokenizer_of(kind, template, KNOWN))


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", ["Money in hand.", "5 of them", "(held)", "\nMoney", "é </s>"])
def test_a_row_is_tokens_as_the_whole_text_with_one_mark_at_each_end(kind, template, answer, made):
    tokenizer = made(kind, template)
    begin, end = (tokenizer.bos_token_id,), (tokenizer.eos_token_id,)
    (row,) = encode(tokenizer, ["r"], ["What is cash?"], [answer], 500)
    text = f"{prompt_text('What is cash?')} {answer}"
    whole = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    begun, ended = template.startswith(BEGIN), template.endswith(END)
    assert row.input_ids == (*(begin if begun else ()), *whole, *end)
    assert (row.begin, row.end) == (len(begin) if begun else 0, end if ended else ())
    # An encoder reads its prompt as the tokenizer itself writes it.
    assert [*row.encoder_ids] == tokenizer(prompt_text("What is cash?"))["input_ids"]
    labels = collate([row], 0).answers.tolist()
    assert labels == [*row.input_ids[row.answer_start :]]
    if kind == "bytes":
        assert tokenizer.decode(labels[:-1]) == f" {answer}"


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
)
def test_prompt_and_answer_decode_to_the_text(made, question, answer):
    tokenizer = made("bytes", TEMPLATES[-1])
    (row,) = encode(tokenizer, ["r"], [question], [answer], 500)
    assert tokenizer.decode(row.input_ids[1:-1]) == f"{prompt_text(question)} {answer}"


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_decoder_reads_what_it_was_pretrained_on(template, made):
    tokenizer = made("metaspace always", template)
    start, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    (row,) = encode(tokenizer, ["r"], ["What is cash?"], ["Money in hand."], 500)
    batch = collate([row], 0, start)
    begin, _ = marks(tokenizer)
    answer = tokenizer("Money in hand.", add_special_tokens=False)["input_ids"]
    # As transformers makes it of labels that are begin, text, end: shifted by one.
    assert batch.input_ids[0].tolist() == [start, *begin, *answer]
    assert batch.labels[0].tolist() == [*[IGNORED] * len(begin), *answer, end]
    if begin:  # where the decoder starts with the begin mark itself, it stands there once
        assert collate([row], 0, begin[0]).input_ids[0].tolist() == [*begin, *answer]
    assert answered_rows(batch) == answered_rows(collate([row], 0)) == [row]


class TurningRound(PreTrainedTokenizerFast):
    """A tokenizer of own code that writes a text from right to left between its marks."""

    def __call__(self, texts, *, add_special_tokens, **options):
        """Return the ids of texts."""
        said = super().__call__(texts, add_special_tokens=False, **options)
        if add_special_tokens:
            said["input_ids"] = [[1, *row[::-1], 2] for row in said["input_ids"]]
        return said


def test_a_tokenizer_that_changes_the_text_between_its_marks_is_refused():
    known = tokenizer_of("bytes", TEMPLATES[0], KNOWN).backend_tokenizer
    with pytest.raises(ValueError, match="tokenizer TurningRound gives a text other tokens"):
        marks(TurningRound(tokenizer_object=known))


def test_a_tokenizer_that_knows_no_letter_has_the_marks_it_has():
    known = Tokenizer(models.BPE({BEGIN: 0}, []))
    assert marks(PreTrainedTokenizerFast(tokenizer_object=known)) == ((), ())
    known.post_processor = TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, 0)])
    begin, end = marks(PreTrainedTokenizerFast(tokenizer_object=known))
    assert (*begin, *end) == (0,)


def test_a_cut_prompt_keeps_its_begin_mark(made):
    tokenizer = made("bytes", TEMPLATES[1])
    (row,) = encode(tokenizer, ["r"], ["cash " * 100], ["Money"], 40)
    assert len(row.input_ids) == 40
    assert row.input_ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(row.input_ids[1:]).endswith("cash \nAnswer: Money</s>")


def test_lengths_are_those_of_rows_that_nothing_cut(made):
    tokenizer = made("bytes", TEMPLATES[3])
    questions, answers = ["What is cash?", "cash " * 50], ["Money in hand.", ""]
    rows = encode(tokenizer, ["a", "b"], questions, answers, 10**6)
    assert whole_lengths(tokenizer, questions, answers) == [len(row.input_ids) for row in rows]
    assert answer_lengths(tokenizer, answers) == [row.answer_tokens for row in rows]
