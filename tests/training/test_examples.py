"""The table of examples: its columns, its order, and what is refused."""

import json

import pytest

from benchmarks.tokenizer_families import family_tokenizer
from kd_kedro.models.encoding import encode_prompts
from kd_kedro.models.prompt_format import CHAT, PromptFormat, give_format
from kd_kedro.pipelines.distillation.params import ExampleParams
from kd_kedro.text.transcript import write_transcript
from kd_kedro.training.examples import (
    EXAMPLE_COLUMNS,
    asked_of,
    choose_training_examples,
    choose_validation_examples,
    encode_examples,
    example_lengths,
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


def test_fields_are_what_the_prompt_is_made_of_and_belong_to_the_identity():
    examples = make_examples(TABLE.head(2), ["question", "source"])
    question = TABLE["question"][0]
    assert asked_of(examples)[0] == {"question": question, "source": "toy"}
    assert questions_of(examples)[0] == question
    changed = make_examples(TABLE.head(2).assign(source="else"), ["question", "source"])
    assert triples(changed) != triples(examples)
    # Of a question alone they are what they always were.
    plain = make_examples(TABLE.head(1))
    assert triples(plain) == [(TABLE["row_id"][0], question, TABLE["answer"][0])]
    assert triples(make_examples(TABLE.head(1).assign(source="else"))) == triples(plain)


def test_a_field_that_is_no_column_is_named():
    with pytest.raises(ValueError, match="has the field topic, which is no column of augmented_qa"):
        make_examples(TABLE, ["question", "topic"])


def test_a_row_that_a_chat_template_refuses_is_named():
    tokenizer = give_format(family_tokenizer("llama2", ["a b"]), PromptFormat(CHAT), "tokenizer")
    turns = [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]
    fields = json.dumps({"question": "b", "messages": turns})
    rows = TABLE.head(2).assign(line=["2", "3"])
    examples = make_examples(rows).assign(fields=['{"question": "a"}', fields])
    row = f"toy, line 3, row {TABLE['row_id'][1]} cannot be asked: the chat template refuses the"
    with pytest.raises(ValueError, match=f"^{row} roles"):
        example_lengths(examples, tokenizer)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"format": "nosuch"}, "'nosuch', which is none of plain, chat"),
        ({"format": "t5", "templates": {"t5": "answer:"}}, "templates.t5 has the fields none"),
        ({"templates": {"a": "{question} {answer}"}}, "only further columns of the sheet"),
        ({"templates": {"a": "{question"}}, "templates.a: "),
        ({"templates": {"chat": "{question}"}}, "templates.chat has the name of a format"),
        ({"system": "Be brief."}, "system is read by the format chat alone"),
    ],
)
def test_a_format_that_cannot_be_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        ExampleParams(max_augmented_rows=1, max_length=64, **given)


SYSTEM = ("system", "Be brief.")
TURNS = [("user", "What is a debit?"), ("assistant", "The left."), ("user", "And 2 %?")]


def said(*turns):
    return [{"role": role, "content": content} for role, content in turns]


def test_a_system_message_stands_before_the_question_of_its_row_in_a_chat():
    talk, own = write_transcript(TURNS), write_transcript([("system", "Own."), *TURNS])
    rows = TABLE.head(5).assign(
        question=["Why?", "Why?", talk, own, "⟦user⟧ Why?"],
        system=["Be brief.", "", *["Be brief."] * 3],
    )
    examples = make_examples(rows)
    one = said(SYSTEM, ("user", "Why?"))
    assert asked_of(examples) == [
        {"question": "Why?", "messages": one},
        "Why?",
        {"question": write_transcript([SYSTEM, *TURNS]), "messages": said(SYSTEM, *TURNS)},
        {"question": own, "messages": said(("system", "Own."), *TURNS)},
        {"question": "Why?", "messages": one},
    ]
    chat = give_format(family_tokenizer("qwen2", ["Be Why?"]), PromptFormat(CHAT, "No."), "key")
    first, second = (chat.decode(ids) for ids in encode_prompts(chat, asked_of(examples)[:2]))
    assert first.startswith(
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>"
    )
    assert second.startswith("<|im_start|>system\nNo.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>")
    plain = give_format(family_tokenizer("gpt2", ["Be Why?"]), PromptFormat(), "key")
    assert encode_prompts(plain, asked_of(examples)[:1]) == encode_prompts(plain, ["Why?"])


def test_a_template_of_ones_own_may_have_the_system_message():
    params = ExampleParams(
        max_augmented_rows=1,
        max_length=64,
        format="told",
        templates={"told": "{system}\nQuestion: {question}"},
    )
    assert params.fields == ("system", "question")
    talk = write_transcript([SYSTEM, *TURNS])
    rows = TABLE.head(2).assign(question=["Why?", talk], system=["Be brief.", ""])
    rows = rows.assign(split="train", style="original")
    examples = choose_training_examples(rows, ["original"], 0, params.fields, all_turns=True)
    asked = asked_of(examples)
    assert [(each["system"], each["question"]) for each in asked] == [
        ("Be brief.", "Why?"),
        ("Be brief.", "What is a debit?"),
        ("", talk),
    ]
    own = give_format(family_tokenizer("smollm2", ["Be Why?"]), params.prompt_format, "key")
    chat = [
        own.apply_chat_template(each["messages"], add_generation_prompt=True)["input_ids"]
        for each in asked
    ]
    assert chat == encode_prompts(own, asked)
    with pytest.raises(ValueError, match="the field system, which is no column of augmented_qa"):
        make_examples(TABLE, params.fields)


def test_a_system_message_that_a_chat_template_refuses_is_named():
    tokenizer = give_format(family_tokenizer("gemma", ["a b"]), PromptFormat(CHAT), "tokenizer")
    examples = make_examples(TABLE.head(2).assign(system=["", "Be brief."]))
    with pytest.raises(ValueError, match=r"refuses the roles system, user .*columns\.system=null"):
        example_lengths(examples, tokenizer)
