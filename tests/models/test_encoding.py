"""Rows become tokens: what is an answer token, and which position predicts it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from kd_kedro.models.encoding import (
    IGNORED,
    Example,
    batches_by_length,
    collate,
    encode,
    encode_prompts,
    pad_token_id,
    prompt_text,
)


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


def test_no_second_space_stands_before_an_answer():
    # As Llama 2's: a space is put before each text.
    told = [f"{prompt_text('What is cash?')} Money in hand."] * 50
    whole = Tokenizer(BPE(unk_token="<unk>"))
    whole.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    whole.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    special = ["<unk>", "<s>", "</s>"]
    whole.train_from_iterator(told, BpeTrainer(vocab_size=90, special_tokens=special))
    whole.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=whole, eos_token="</s>", bos_token="<s>")
    (example,) = encode(tokenizer, ["r"], ["What is cash?"], ["Money in hand."], 128)
    assert list(example.input_ids) == [*tokenizer(told[0])["input_ids"], 2]
