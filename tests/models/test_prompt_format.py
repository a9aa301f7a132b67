"""A model is asked as it was trained, in every format and by every family of tokenizers."""

import copy
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from benchmarks.tokenizer_families import FAMILIES, family_tokenizer
from kd_kedro.models.encoding import encode, encode_prompts, prompt_texts, whole_lengths
from kd_kedro.models.literal_chat import PromptRefusedError
from kd_kedro.models.prompt_format import (
    CHAT,
    TEMPLATE,
    PromptFormat,
    asked_as,
    field_names,
    format_of,
    give_format,
)
from kd_kedro.text.transcript import write_transcript

CHATTING = [name for name, family in FAMILIES.items() if family.chat]
QUESTION, ANSWER = "What is cash?", "Money in hand."
TEXTS = [f"Question: {QUESTION}\nAnswer: {ANSWER} user assistant system"] * 20


@pytest.fixture(scope="module")
def bare():
    return {name: family_tokenizer(name, TEXTS) for name in FAMILIES}


@pytest.fixture(scope="module")
def chatting(bare):
    how = PromptFormat(CHAT)
    return {name: give_format(copy.deepcopy(bare[name]), how, "key") for name in CHATTING}


def ids(tokenizer, messages, **how):
    return tokenizer.apply_chat_template(messages, return_dict=False, **how)


@pytest.mark.parametrize("name", [name for name in CHATTING if name != "qwen3"])
def test_a_chat_row_is_the_beginning_of_what_the_template_writes_of_it(name, chatting):
    tokenizer = chatting[name]
    (row,) = encode(tokenizer, ["r"], [QUESTION], [ANSWER], 500)
    asked = [{"role": "user", "content": QUESTION}]
    prompt = ids(tokenizer, asked, add_generation_prompt=True)
    assert list(row.input_ids[: row.answer_start]) == prompt
    whole = ids(tokenizer, [*asked, {"role": "assistant", "content": ANSWER}])
    assert list(row.input_ids) == whole[: len(row.input_ids)]
    end = tokenizer.convert_tokens_to_ids(FAMILIES[name].turn_end)
    assert row.input_ids[-1] == end == tokenizer.eos_token_id
    # Behind it the template has no more than blanks.
    assert not tokenizer.decode(whole[len(row.input_ids) :]).strip()
    assert whole_lengths(tokenizer, [QUESTION], [ANSWER]) == [len(row.input_ids)]


def test_an_answer_follows_the_prompt_where_the_template_thinks_only_in_whole_turns(chatting):
    tokenizer = chatting["qwen3"]
    (row,) = encode(tokenizer, ["r"], [QUESTION], [ANSWER], 500)
    assert tokenizer.decode(row.input_ids[row.answer_start :]) == f"{ANSWER}<|im_end|>"


@pytest.mark.parametrize("name", CHATTING)
def test_marks_stand_once_at_the_beginning_of_a_chat(name, chatting):
    begin = FAMILIES[name].begin
    (prompt,) = encode_prompts(chatting[name], [QUESTION])
    if begin:
        mark = chatting[name].convert_tokens_to_ids(begin)
        assert prompt[0] == mark
        assert prompt.count(mark) == 1


@pytest.mark.parametrize("name", CHATTING)
def test_a_quoted_special_token_is_letters(name, chatting):
    tokenizer = chatting[name]
    special = [each for each in FAMILIES[name].special if each != "<unk>"]
    quoted = " and ".join(special)
    (usual,), (row,) = (
        encode(tokenizer, ["r"], [text], [text], 5000) for text in ("x", f"x {quoted} y")
    )
    known = {tokenizer.convert_tokens_to_ids(each) for each in special}

    def counted(row):
        return Counter(each for each in row.input_ids if each in known)

    assert counted(row) == counted(usual)
    if "<unk>" not in FAMILIES[name].special:  # small vocabularies lack letters
        answer = tokenizer.decode(row.input_ids[row.answer_start : -1])
        assert answer.strip() == f"x {quoted} y"


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufdd0\ufdd1\ufdd2"))


@given(text, text)
def test_chat_prompt_and_answer_decode_to_their_texts(chatting, question, answer):
    tokenizer = chatting["smollm2"]
    (row,) = encode(tokenizer, ["r"], [question], [answer], 5000)
    decoded = tokenizer.decode(row.input_ids[: row.answer_start])
    assert decoded.endswith(f"user\n{question}<|im_end|>\n<|im_start|>assistant\n")
    assert tokenizer.decode(row.input_ids[row.answer_start : -1]) == answer
    assert row.input_ids.count(tokenizer.eos_token_id) == 3


def test_a_conversation_is_asked_with_its_earlier_turns(chatting):
    tokenizer = chatting["qwen2"]
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is a debit?"},
        {"role": "assistant", "content": "The left."},
        {"role": "user", "content": "And a credit?"},
    ]
    (prompt,) = encode_prompts(tokenizer, [{"question": "no part of it", "messages": turns}])
    assert prompt == ids(tokenizer, turns, add_generation_prompt=True)


def test_a_date_in_a_template_is_the_same_on_all_days(chatting):
    (text,) = prompt_texts(chatting["llama3"], [QUESTION])
    assert "Today Date: 26 Jul 2024" in text
    assert "strftime_now('" not in chatting["llama3"].chat_template


def test_a_system_prompt_stands_before_conversations_that_have_none(bare):
    tokenizer = give_format(copy.deepcopy(bare["qwen2"]), PromptFormat(CHAT, 'Say "so".\n'), "key")
    own = {"messages": [{"role": "system", "content": "Own."}, {"role": "user", "content": "a"}]}
    ours, theirs = prompt_texts(tokenizer, [QUESTION, own])
    assert ours.startswith('<|im_start|>system\nSay "so".\n<|im_end|>\n<|im_start|>user\nWhat')
    assert theirs.startswith("<|im_start|>system\nOwn.<|im_end|>\n<|im_start|>user\na")
    # Whoever asks without this project gets it too.
    asked = [{"role": "user", "content": QUESTION}]
    assert tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True) == ours


@pytest.mark.parametrize("how", [PromptFormat(CHAT, "Be brief."), PromptFormat("Say: {question}")])
def test_a_saved_tokenizer_says_how_it_is_asked(how, bare, tmp_path):
    tokenizer = give_format(copy.deepcopy(bare["smollm2"]), how, "key")
    tokenizer.save_pretrained(tmp_path)
    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert format_of(loaded) == how
    assert loaded.eos_token == tokenizer.eos_token
    rows = (["r"], [QUESTION], [ANSWER], 500)
    assert encode(loaded, *rows) == encode(tokenizer, *rows)
    assert asked_as(loaded) == asked_as(tokenizer)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_chat_template_of_a_text_is_its_prompt(name, bare):
    template = "Short, {{please}}\n{question}\n"
    tokenizer = give_format(copy.deepcopy(bare[name]), PromptFormat(template), "key")
    (prompt,) = encode_prompts(tokenizer, [QUESTION])
    assert ids(tokenizer, [{"role": "user", "content": QUESTION}]) == prompt
    assert prompt_texts(tokenizer, [QUESTION]) == [f"Short, {{please}}\n{QUESTION}\n"]


def test_the_chat_template_of_a_text_writes_a_conversation_as_in_training(bare):
    tokenizer = give_format(copy.deepcopy(bare["smollm2"]), PromptFormat(), "key")
    said = [("user", " a\n"), ("assistant", "b\nc"), ("user", "d")]
    for turns in (said, [("system", "s"), *said]):
        messages = [{"role": role, "content": text} for role, text in turns]
        asked = {"question": write_transcript(turns), "messages": messages}
        assert [ids(tokenizer, messages)] == encode_prompts(tokenizer, [asked])
    # A system message beside one question is no part of it.
    alone = [{"role": "system", "content": "s"}, {"role": "user", "content": QUESTION}]
    assert [ids(tokenizer, alone)] == encode_prompts(tokenizer, [QUESTION])


def test_special_tokens_of_a_template_of_ones_own_count(bare):
    template = "<s>[INST] {question}[/INST]"
    tokenizer = give_format(copy.deepcopy(bare["mistral"]), PromptFormat(template), "key")
    (row,) = encode(tokenizer, ["r"], ["is [INST] a mark?"], [ANSWER], 500)
    tokens = tokenizer.convert_ids_to_tokens(row.input_ids)
    assert (tokens[:2], tokens[-1]) == (["<s>", "[INST]"], "</s>")
    assert Counter(tokens)["[INST]"] == Counter(tokens)["<s>"] == 1
    assert tokens[row.answer_start - 1] == "[/INST]"


def test_fields_of_a_row_fill_a_template(bare):
    tokenizer = give_format(copy.deepcopy(bare["gpt2"]), PromptFormat("{topic}: {question}"), "k")
    asked = {"topic": "Tax {of} rent", "question": "{topic}?", "other": "unused"}
    (prompt,) = encode_prompts(tokenizer, [asked])
    assert tokenizer.decode(prompt) == "Tax {of} rent: {topic}?"
    assert field_names("{{a}} {topic}: {question}{topic}") == ["topic", "question"]


def test_plain_prompts_are_known_by_what_they_always_were(bare):
    tokenizer = give_format(copy.deepcopy(bare["gpt2"]), PromptFormat(), "key")
    assert asked_as(tokenizer) == asked_as(bare["gpt2"]) == "Question: {question}\nAnswer:"
    rows = (["r"], [QUESTION], [ANSWER], 500)
    assert encode(tokenizer, *rows) == encode(bare["gpt2"], *rows)
    assert TEMPLATE == "Question: {question}\nAnswer:"


@pytest.mark.parametrize(
    ("template", "system", "said"),
    [
        (None, "", "has no chat template, which distillation.examples.format=chat asks for"),
        (FAMILIES["gemma"].chat, "Be brief.", r"refuses the roles system, user \(System role not"),
        ("{{ messages[-1]['content'] }}", "Be brief.", "leaves out what a system message says"),
        ("{{ messages[0]['content'] }}", "", "does not write what an assistant says"),
        ("{% for a in %}", "", "cannot be asked as a chat"),
    ],
)
def test_a_chat_template_that_cannot_be_used_is_refused(template, system, said, bare):
    tokenizer = copy.deepcopy(bare["gemma"])
    tokenizer.chat_template = template
    with pytest.raises(ValueError, match=rf"^tokenizer\.pretrained: .*{said}"):
        give_format(tokenizer, PromptFormat(CHAT, system), "tokenizer.pretrained")


def test_a_refused_conversation_is_told_apart_from_others(chatting):
    refused = {"messages": [{"role": "user", "content": "a"}] * 2}
    with pytest.raises(PromptRefusedError, match="roles user, user") as caught:
        encode_prompts(chatting["llama2"], ["fine", refused])
    assert caught.value.place == 1


@pytest.mark.parametrize("template", ["{question", "{question!r}", "{question.x}", "{}", "}"])
def test_a_field_is_a_plain_name(template):
    with pytest.raises(ValueError, match=r"brace|plain name|Single|expected"):
        field_names(template)
