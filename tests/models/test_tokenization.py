"""The trained tokenizer gives back every text, and every digit is a token."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_kedro.models.tokenization import load_pretrained_tokenizer, train_byte_bpe

TRAINED = train_byte_bpe(["Debit Cash 12,000; Credit Sales 12,000."] * 5, 320)


@settings(max_examples=200)
@given(st.text())
def test_any_text_comes_back(text):
    ids = TRAINED(text, split_special_tokens=True)["input_ids"]
    assert TRAINED.decode(ids) == text


@pytest.mark.parametrize(
    "text",
    ["₹ 12,500 (incl. 18 % GST)", "n° ½ ⁻ €", "資産 ≠ 負債", " a  b\n\n c .", "<|endoftext|>"],
)
def test_unseen_signs_and_blanks_come_back(text):
    assert TRAINED.decode(TRAINED(text, split_special_tokens=True)["input_ids"]) == text


def test_every_digit_is_a_token_of_its_own():
    tokens = TRAINED.convert_ids_to_tokens(TRAINED("Cash 12,000")["input_ids"])
    assert [token for token in tokens if any(sign.isdigit() for sign in token)] == list("12000")


def test_end_and_padding_are_two_tokens():
    assert TRAINED.eos_token_id != TRAINED.pad_token_id


def test_the_vocabulary_is_bounded():
    assert len(TRAINED) <= 320
    assert len(train_byte_bpe([], 5000)) == 258  # all bytes and the two special tokens


def test_a_saved_tokenizer_is_the_same_through_any_class(tmp_path):
    TRAINED.save_pretrained(tmp_path)
    loaded = load_pretrained_tokenizer(str(tmp_path), "tokenizer.pretrained")
    text = "Cash ₹ 12,000"
    assert loaded(text)["input_ids"] == TRAINED(text)["input_ids"]
    assert loaded.pad_token_id == TRAINED.pad_token_id


def test_a_tokenizer_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OSError, match=r"tokenizer\.pretrained: .*'.*nothing' .*; give a hub name"):
        load_pretrained_tokenizer(str(tmp_path / "nothing"), "tokenizer.pretrained")
