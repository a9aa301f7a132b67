"""Conversations of several turns are trained and generated as a chat."""

import json

import pandas as pd
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from benchmarks.tokenizer_families import family_tokenizer
from kd_kedro.curation.records.schema import SPLIT, table
from kd_kedro.datasets.hf_model import HFModelDataset
from kd_kedro.inference.generate import generate_answers
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate, pad_token_id
from kd_kedro.models.prompt_format import CHAT, PromptFormat, format_of, give_format
from kd_kedro.text.transcript import write_transcript
from kd_kedro.training.examples import (
    asked_of,
    choose_training_examples,
    encode_examples,
    make_examples,
    questions_of,
)
from tests.inference.answer_logits import answer_logits
from tests.pipelines.distillation.recipe import run
from tests.pipelines.distillation.toy import GOODS, augmented_qa
from tests.training.architectures import build, save

TURNS = [
    ("Which side is {} on?", "The left."),
    ("And its seller?", "The right."),
    ("Why {}?", "It came in."),
]


def conversation(goods: str) -> tuple[str, str]:
    """Return three turns as a question and its answer."""
    said = [("system", "Be brief.")]
    for asked, answer in TURNS:
        said += [("user", asked.format(goods)), ("assistant", f"{answer} {goods}")]
    return write_transcript(said[:-1]), said[-1][1]


@pytest.fixture(scope="module")
def conversations() -> pd.DataFrame:
    rows = [
        [f"c{number}", f"c{number}", "train", "original", *conversation(goods), "talk.jsonl"]
        for number, goods in enumerate(GOODS)
    ]
    return table(SPLIT, rows)


def test_every_turn_is_an_example_of_its_family_with_what_was_said_before(conversations):
    last = choose_training_examples(conversations, ["original"], 0)
    assert len(last) == len(conversations)
    examples = choose_training_examples(conversations, ["original"], 0, all_turns=True)
    assert [*examples["example_id"][:3]] == ["c0-turn-2", "c0-turn-4", "c0"]
    assert [*examples["answer"][:3]] == [f"{answer} Furniture" for _, answer in TURNS]
    assert {*examples["row_id"][:3], *examples["family_id"][:3]} == {"c0"}
    asked = [[each["role"] for each in one["messages"]] for one in asked_of(examples)[:3]]
    assert asked == [["system", *["user", "assistant"] * turn, "user"] for turn in range(3)]
    assert questions_of(examples)[0] == "Which side is Furniture on?"  # as a row of its own
    assert examples.iloc[2::3].reset_index(drop=True).equals(last)
    assert examples["example_id"].is_unique
    plain = make_examples(augmented_qa(9))
    assert "messages" not in "".join(plain["fields"])


def test_a_conversation_of_three_turns_is_trained_and_generated(conversations):
    texts = [*conversations["question"], *conversations["answer"]]
    tokenizer = give_format(family_tokenizer("qwen2", texts), PromptFormat(CHAT), "tokenizer")
    examples = choose_training_examples(conversations, ["original"], 0, all_turns=True)
    torch.manual_seed(0)
    model = build("llama", tokenizer, layers=2, width=48).train()
    rows = encode_examples(examples, tokenizer, 128)
    batch = collate(rows, pad_token_id(tokenizer))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(120):
        loss = torch.nn.functional.cross_entropy(answer_logits(model, batch), batch.answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    trained = LanguageModel(model.eval(), tokenizer, {"max_length": 128})
    said = generate_answers(trained, asked_of(examples), max_new_tokens=30, batch_size=6)
    assert said == [*examples["answer"]]


def test_a_student_of_chats_is_distilled_and_its_folder_says_how_it_is_asked(
    conversations, tmp_path
):
    own = augmented_qa(24)
    rows = pd.concat([conversations, own], ignore_index=True)
    tokenizer = family_tokenizer("smollm2", [*rows["question"], *rows["answer"]])
    place = str(save(tmp_path / "teacher", build("llama", tokenizer), tokenizer))
    tokenizer.save_pretrained(place)
    few = {"max_tokens": 500, "batch_size": 4}
    chat = {"format": "chat", "system": "Book it.", "turns": "all"}
    changed = {
        "tokenizer": {"pretrained": place},
        "teacher": {"pretrained": place},
        "student": {"copy_layers": [0]},
        "examples": {**chat, "max_length": 128, "max_cut_share": 1.0, "max_augmented_rows": 4},
        "training": few,
        "seeds": {"count": 1},
        "controls": {"teacher_seed": None, "cut_untaught": False},
    }
    catalog = run(rows, tmp_path, changed=changed)
    student = catalog.load("student")
    assert student.card["prompt_template"] == CHAT
    assert catalog.load("length_facts")["parts"][0]["rows"] >= 3 * len(conversations)
    HFModelDataset(filepath=str(tmp_path / "saved")).save(student)
    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path / "saved")
    assert format_of(loaded) == PromptFormat(CHAT, "Book it.")
    asked = [{"role": "user", "content": "Why?"}]
    text = loaded.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert text.startswith("<|im_start|>system\nBook it.<|im_end|>")
    greedy = json.loads((tmp_path / "saved" / "generation_config.json").read_text())
    assert greedy["eos_token_id"] == loaded.convert_tokens_to_ids("<|im_end|>")
