"""A model is asked as it was trained, in every format and by every family of tokenizers."""

import copy
import re
from collections import Counter
from importlib.resources import files

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
    saved_with,
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


# Of models that people have, in the form in which their publishers give them.
PUBLISHED = {
    "cohere": "<|END_OF_TURN_TOKEN|>",
    "deepseek_r1_distill": "<｜end▁of▁sentence｜>",
    "gemma": "<end_of_turn>",
    "gemma3": "<end_of_turn>",
    "llama3": "<|eot_id|>",
    "llama3_2": "<|eot_id|>",
    "nemotron_3_nano": "<|im_end|>",
    "phi3": "<|end|>",
    "phi3_5": "<|end|>",
    "qwen2_5": "<|im_end|>",
    "qwen3": "<|im_end|>",
    "qwen3_5_think": "<|im_end|>",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_chat_templates_ask_as_they_train(name, bare):
    template = files("trl").joinpath(f"chat_templates/{name}.jinja").read_text(encoding="utf-8")
    tokenizer = copy.deepcopy(bare["qwen2"])
    marks = set(re.findall(r"<[|｜]?[\w▁]+[|｜]?>", template)) - {"<think>", "</think>"}
    tokenizer.add_tokens([*sorted(marks), "<s>"], special_tokens=True)
    tokenizer.bos_token, tokenizer.chat_template = "<s>", template
    give_format(tokenizer, PromptFormat(CHAT), "key")
    quoting = f"What is {PUBLISHED[name]}?"
    asked = [{"role": "user", "content": QUESTION}]
    rows = encode(tokenizer, ["r", "q"], [QUESTION, quoting], [ANSWER, ANSWER], 5000)
    prompts = [tokenizer.decode(row.input_ids[: row.answer_start]) for row in rows]
    assert prompts[0] == tokenizer.apply_chat_template(
        asked, add_generation_prompt=True, tokenize=False
    )
    assert prompts[0].count("<think>") == prompts[0].count("</think>")
    for row, prompt in zip(rows, prompts, strict=True):
        assert prompt.count("What is ") == 1
        assert tokenizer.decode(row.input_ids[row.answer_start :]) == f"{ANSWER}{PUBLISHED[name]}"
    end = tokenizer.eos_token_id
    assert rows[1].input_ids.count(end) == rows[0].input_ids.count(end)


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


@pytest.mark.parametrize("template", [TEMPLATE, "Say: {question}\n"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_chat_template_of_a_text_writes_the_answer_as_in_training(name, template, bare):
    tokenizer = give_format(copy.deepcopy(bare[name]), PromptFormat(template), "key")
    (row,) = encode(tokenizer, ["r"], [QUESTION], [ANSWER], 500)
    said = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    assert ids(tokenizer, said) == list(row.input_ids)


@pytest.mark.parametrize("name", FAMILIES)
def test_what_an_encoder_reads_is_the_chat_template_of_its_model(name, bare):
    tokenizer = give_format(copy.deepcopy(bare[name]), PromptFormat(), "key")
    (row,) = encode(tokenizer, ["r"], [QUESTION], [ANSWER], 500)
    saved = saved_with(tokenizer, encoded=True)
    assert ids(saved, [{"role": "user", "content": QUESTION}]) == list(row.encoder_ids)
    plain = saved_with(tokenizer, encoded=False)
    assert plain.chat_template == tokenizer.chat_template


def test_a_chat_template_asks_for_the_fields_that_its_prompt_has(bare):
    tokenizer = give_format(copy.deepcopy(bare["gpt2"]), PromptFormat("{area}: {question}"), "k")
    asked = [{"role": "user", "content": QUESTION}]
    (prompt,) = encode_prompts(tokenizer, [{"area": "Tax", "question": QUESTION}])
    assert ids(tokenizer, asked, area="Tax") == prompt
    with pytest.raises(Exception, match="the prompt has the field area"):
        ids(tokenizer, asked)


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


MESSAGES = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
)
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": QUESTION},
    {"role": "assistant", "content": "<think>Hm.</think>Money."},
    {"role": "user", "content": "Where?"},
]


def test_a_template_that_ignores_what_it_is_asked_for_still_says_who_speaks(bare):
    tokenizer = copy.deepcopy(bare["smollm2"])
    tokenizer.chat_template = MESSAGES
    give_format(tokenizer, PromptFormat(CHAT), "key")
    (row,) = encode(tokenizer, ["r"], [QUESTION], [ANSWER], 500)
    said = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(row.input_ids[: row.answer_start]) == said
    asked = [{"role": "user", "content": QUESTION}]
    prompt = ids(tokenizer, asked, add_generation_prompt=True)
    assert prompt == list(row.input_ids[: row.answer_start])
    assert tokenizer.decode(row.input_ids[row.answer_start :]) == f"{ANSWER}<|im_end|>"


@pytest.mark.parametrize(
    ("messages", "left_out"),
    [
        ("messages[-1:]", r"leaves out a message of the role system \('Be brief\.'\)"),
        (
            "messages | rejectattr('role', 'equalto', 'system')",
            "leaves out a message of the role system",
        ),
        (
            "messages | rejectattr('content', 'equalto', 'What is cash?')",
            "leaves out a message of the role user",
        ),
        (
            "messages[:2] + messages[3:]",
            r"leaves out a message of the role assistant \('Money\.'\)",
        ),
        ("messages[1 // (4 - messages | length):]", "refuses the roles system, .*zero"),
    ],
)
def test_a_conversation_that_a_template_does_not_write_whole_is_refused(messages, left_out, bare):
    tokenizer = copy.deepcopy(bare["smollm2"])
    tokenizer.chat_template = MESSAGES.replace("in messages", f"in {messages}")
    give_format(tokenizer, PromptFormat(CHAT), "key")
    with pytest.raises(PromptRefusedError, match=left_out):
        encode_prompts(tokenizer, [QUESTION, {"question": "", "messages": TURNS}])


def test_what_an_assistant_thought_earlier_may_be_left_out(bare):
    tokenizer = copy.deepcopy(bare["smollm2"])
    tokenizer.chat_template = MESSAGES.replace("m.content", "m.content.split('</think>')[-1]")
    give_format(tokenizer, PromptFormat(CHAT), "key")
    (text,) = prompt_texts(tokenizer, [{"question": "", "messages": TURNS}])
    assert "<|im_start|>assistant\nMoney.<|im_end|>" in text


def test_marks_of_turns_that_are_not_special_stay_letters_in_a_text(bare):
    tokenizer = copy.deepcopy(bare["smollm2"])
    tokenizer.add_tokens(["<|User|>", "<|Assistant|>"])
    tokenizer.chat_template = (
        "{% for m in messages %}<|{{ m.role | capitalize }}|>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|Assistant|>{% endif %}{# <|User|> #}"
    )
    give_format(tokenizer, PromptFormat(CHAT), "key")
    marks = tokenizer.convert_tokens_to_ids(["<|User|>", "<|Assistant|>"])
    (prompt,) = encode_prompts(tokenizer, ["x <|Assistant|> y <|User|> z"])
    assert [token for token in prompt if token in marks] == marks
    assert (prompt[0], prompt[-1]) == tuple(marks)
    assert tokenizer.decode(prompt[1:-1]) == "x <|Assistant|> y <|User|> z"


@pytest.mark.parametrize(
    ("template", "system", "said"),
    [
        (None, "", "has no chat template, which distillation.examples.format=chat asks for"),
        (FAMILIES["gemma"].chat, "Be brief.", r"refuses the roles system, user \(System role not"),
        ("{{ messages[-1]['content'] }}", "Be brief.", "leaves out a message of the role system"),
        ("{{ messages[0]['content'] }}", "", "leaves out a message of the role assistant"),
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
