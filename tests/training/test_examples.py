"""The table of examples: its columns, its order, and what is refused."""

import json

import pytest

from kd_kedro.training.examples import (
    EXAMPLE_COLUMNS,
    choose_training_examples,
    choose_validation_examples,
    encode_examples,
    learned,
    make_examples,
    questions_of,
    triples,
)
from tests.pipelines.distillation.toy import augmented_qa

TABLE = augmented_qa(60)


def test_a_row_becomes_an_example_and_unknown_columns_pass_through():
    examples = make_examples(TABLE)
    assert [*examples.columns] == [*EXAMPLE_COLUMNS, "source"]
    assert [*examples["example_id"]] == [*examples["row_id"]] == [*TABLE["row_id"]]
    assert [*examples["style"]] == [*TABLE["style"]]
    assert questions_of(examples) == [*TABLE["question"]]
    assert {
        json.dumps(json.loads(fields), ensure_ascii=False) for fields in examples["fields"]
    } == {*examples["fields"]}
    assert {*examples["weight"]} == {"1"}
    assert {*examples["context"], *examples["teacher"]} == {""}


def test_rewrites_follow_the_originals_and_more_of_them_only_add():
    few, more = (choose_training_examples(TABLE, ["original", "casual"], n) for n in (5, 9))
    originals = (few["style"] == "original").sum()
    assert [*few["style"][originals:]] == ["casual"] * 5
    assert [*few["example_id"]] == [*more["example_id"][: originals + 5]]
    assert {*few["split"]} == {"train"}


def test_the_choice_does_not_follow_the_order_of_the_table():
    chosen = choose_validation_examples(TABLE, 4)
    assert [*choose_validation_examples(TABLE.iloc[::-1], 4)["row_id"]] == [*chosen["row_id"]]
    assert {*chosen["split"]} == {"validation"}
    assert triples(choose_validation_examples(TABLE, 0)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[t["split"] != "train"], "no row in split train"),
        (lambda t: t.assign(row_id="same"), "the row_id same twice"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        choose_training_examples(change(TABLE), ["original"], 10)


def test_what_has_no_weight_is_not_learned_from():
    examples = make_examples(TABLE)
    examples.loc[0, "weight"] = "0"
    assert [*learned(examples)["row_id"]] == [*TABLE["row_id"][1:]]
    examples.loc[1, "weight"] = "0.5"
    with pytest.raises(ValueError, match=r"has the weight 0\.5: it is 1, or 0 where"):
        learned(examples)


def test_no_example_is_no_token(tokenizer):
    assert encode_examples(make_examples(TABLE[:0]), tokenizer, 64) == []
    (example,) = encode_examples(make_examples(TABLE[:1]), tokenizer, 64)
    assert example.row_id == TABLE["row_id"][0]
