"""What a teacher reads besides: where it stands in the prompt, and that students never read it."""

import json

import pandas as pd
import pytest

from benchmarks.tokenizer_families import family_tokenizer
from kd_kedro.models.encoding import collate, encode_prompts, read_by, with_prompts
from kd_kedro.models.prompt_format import CHAT, PromptFormat, give_format
from kd_kedro.training.contexts import (
    encode_for_teacher,
    teacher_asked_of,
    teacher_length,
    teacher_prompts,
    teacher_questions_of,
)
from kd_kedro.training.examples import asked_of, encode_examples, make_examples, triples
from kd_kedro.training.messages import as_messages
from tests.training.tiny import ANSWERS, QUESTIONS

CONTEXT = "Rent is due on 5 May."


def table(contexts=(CONTEXT, "")):
    count = len(contexts)
    rows = pd.DataFrame({"row_id": ["a", "b"][:count], "context": contexts})
    rows = rows.assign(family_id=rows["row_id"], split="train", style="original")
    return make_examples(rows.assign(question=QUESTIONS[:count], answer=ANSWERS[:count]))


def test_a_context_stands_before_what_a_teacher_is_asked_and_in_nothing_a_student_is():
    examples = table()
    assert teacher_asked_of(examples) == [f"{CONTEXT}\n\n{QUESTIONS[0]}", QUESTIONS[1]]
    assert asked_of(examples) == QUESTIONS[:2]
    assert CONTEXT not in as_messages(examples, PromptFormat()).to_json()


def test_in_a_conversation_it_stands_before_what_the_user_said_last():
    messages = [
        {"role": "user", "content": "Is rent due?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "When?"},
    ]
    fields = json.dumps({"question": "Is rent due? Yes. When?", "messages": messages})
    examples = table([CONTEXT]).assign(fields=fields)
    [asked] = teacher_asked_of(examples)
    assert [each["content"] for each in asked["messages"]] == [
        "Is rent due?",
        "Yes.",
        f"{CONTEXT}\n\nWhen?",
    ]
    assert asked["question"].endswith(f"⟦user⟧ {CONTEXT}\n\nWhen?")
    chat = give_format(
        family_tokenizer("smollm2", [CONTEXT, *QUESTIONS]), PromptFormat(CHAT), "a key"
    )
    [prompt] = teacher_prompts(examples, chat).values()
    [own] = encode_prompts(chat, asked_of(examples))
    assert CONTEXT in chat.decode(prompt)
    assert CONTEXT not in chat.decode(own)


def test_a_teacher_reads_whole_contexts_and_the_answer_tokens_of_its_student(tokenizer):
    examples = table((CONTEXT * 3, ""))
    student = encode_examples(examples, tokenizer, 24)  # cuts the answer
    teacher = encode_for_teacher(examples, tokenizer, 24)
    assert teacher[1] == student[1]
    first, own = teacher[0], student[0]
    assert first.input_ids[first.answer_start :] == own.input_ids[own.answer_start :]
    [prompt] = encode_prompts(tokenizer, [f"{CONTEXT * 3}\n\n{QUESTIONS[0]}"])
    assert list(first.input_ids[: first.answer_start]) == prompt
    assert teacher_length(examples, tokenizer, 24) == 24 + len(prompt) - own.answer_start
    assert teacher_length(table(("", "")), tokenizer, 24) == 24


@pytest.mark.parametrize(("student", "teacher"), [(None, None), (None, 7), (7, None), (7, 7)])
def test_a_batch_of_a_student_is_read_in_the_prompts_of_its_teacher(student, teacher, tokenizer):
    examples = table()
    rows, prompts = encode_examples(examples, tokenizer, 128), teacher_prompts(examples, tokenizer)
    read = read_by(collate(rows, 0, student), teacher, prompts)
    wanted = collate(with_prompts(rows, prompts), 0, teacher)
    assert read.input_ids.tolist() == wanted.input_ids.tolist()
    assert read.labels.tolist() == wanted.labels.tolist()
    assert read.answers.tolist() == collate(rows, 0, student).answers.tolist()
    if teacher is not None:
        assert read.encoder_ids.tolist() == wanted.encoder_ids.tolist()


def test_targets_belong_to_the_context_they_were_captured_with():
    plain, own = triples(table(("", ""))), triples(table())
    assert plain == list(zip("ab", QUESTIONS[:2], ANSWERS[:2], strict=True))  # as ever
    assert own[0] != plain[0]
    assert own[1] == plain[1]
    assert triples(table(("another", "")))[0] != own[0]


def test_a_teacher_reads_what_a_row_tells_beside_its_context():
    rows = pd.DataFrame({"row_id": ["a", "b"], "context": [CONTEXT, ""]}).assign(family_id="f")
    rows = rows.assign(split="train", style="original", answer="So.", system="Be brief.")
    examples = make_examples(rows.assign(question=["Why?", "Why?"]))
    first, _ = teacher_asked_of(examples)
    assert first == {
        "question": f"{CONTEXT}\n\nWhy?",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"{CONTEXT}\n\nWhy?"},
        ],
    }
    # What writes answers for a student to learn knows all that they follow.
    assert teacher_questions_of(examples) == [
        f"⟦system⟧ Be brief.\n⟦user⟧ {CONTEXT}\n\nWhy?",
        "⟦system⟧ Be brief.\n⟦user⟧ Why?",
    ]
