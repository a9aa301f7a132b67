"""The backend in this process, with real models of random weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kd_kedro.generation.llm.llm_generator import Failure, LanguageModelGenerator, Question
from kd_kedro.generation.llm.local_model import (
    LocalModel,
    LocalOptions,
    _encode,
    _in_form,
    fingerprint,
)
from kd_kedro.generation.llm.replies import Reply
from kd_kedro.generation.llm.response_cache import ResponseCache
from kd_kedro.generation.prompts import Prompt
from tests.generation.llm.asking import rephrase
from tests.models.tokenizers_of_kinds import BEGIN, TEMPLATES, tokenizer_of
from tests.training.tiny import QUESTIONS

MakeFolder = Callable[[str], Path]


def questions(seed: int = 0) -> list[Question]:
    return [Question([{"role": "user", "content": text}], "rephrase", seed) for text in QUESTIONS]


def replies(folder: Path, asked: list[Question], **options) -> list[Reply | Failure]:
    given = {"model": str(folder), "max_tokens": 12, "structured": False, **options}
    model = LocalModel("tiny", LocalOptions.model_validate(given))
    found = dict(model.ask(asked))
    return [found[place] for place in range(len(asked))]


@pytest.mark.parametrize("kind", ["gpt2", "llama", "t5"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_neighbours_in_a_batch_change_nothing(
    model_folder: MakeFolder, kind: str, temperature: float
) -> None:
    folder = model_folder(kind)
    options = {"dtype": "float32", "temperature": temperature}
    alone = replies(folder, questions(), batch_size=1, **options)
    together = replies(folder, questions(), batch_size=6, **options)
    backwards = replies(folder, questions()[::-1], batch_size=4, **options)[::-1]
    assert together == alone == backwards
    assert len({reply.text for reply in alone}) > 1


def test_greedy_text_is_what_plain_transformers_writes(model_folder: MakeFolder) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = model_folder("gpt2")
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for question, reply in zip(QUESTIONS, replies(folder, questions()), strict=True):
        ids = tokenizer(question, return_tensors="pt")
        written = model.generate(**ids, max_new_tokens=12, do_sample=False)
        new = written[0, ids["input_ids"].shape[1] :]
        assert reply.text == tokenizer.decode(new, skip_special_tokens=True)
        assert reply.prompt_tokens == ids["input_ids"].shape[1]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_prompt_has_each_mark_once_and_ends_where_the_reply_begins(template: str) -> None:
    tokenizer = tokenizer_of("bytes", template, QUESTIONS)
    for chat in (None, "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"):
        tokenizer.chat_template = chat
        begun = chat is not None or template.startswith(BEGIN)
        ids = _encode(tokenizer, questions()[0].messages, False)
        assert ids.count(tokenizer.bos_token_id) == begun == (ids[0] == tokenizer.bos_token_id)
        assert tokenizer.eos_token_id not in ids
        assert tokenizer.decode(ids[begun:]) == QUESTIONS[0]
    tokenizer.chat_template = None
    encoder = _encode(tokenizer, questions()[0].messages, True)
    assert encoder == tokenizer(QUESTIONS[0])["input_ids"]


def test_a_sample_follows_its_seed(model_folder: MakeFolder) -> None:
    folder = model_folder("llama")
    first = replies(folder, questions(1), temperature=1.0)
    torch.manual_seed(7)  # what others draw does not matter
    assert replies(folder, questions(1), temperature=1.0) == first
    assert replies(folder, questions(2), temperature=1.0) != first
    assert replies(folder, questions(1), temperature=1.0, top_p=0.3) != first


def test_samples_have_the_shares_of_the_softmax(model_folder: MakeFolder) -> None:
    from kd_kedro.generation.llm.local_model import _draws

    logits = torch.log(torch.tensor([0.5, 0.3, 0.2]))
    rows = 4000
    draws = _draws(list(range(rows)), 1.0, 1.0)(None, logits.expand(rows, 3))
    shares = torch.bincount(draws.argmax(-1), minlength=3) / rows
    # Four standard deviations of a share of 0.5 in 4,000 draws are 0.032.
    assert torch.allclose(shares, logits.exp(), atol=0.032)


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_a_prompt_longer_than_the_context_fails_alone(model_folder: MakeFolder, kind: str) -> None:
    asked = [*questions(), Question([{"role": "user", "content": "rent " * 3000}], "rephrase", 0)]
    found = replies(model_folder(kind), asked)
    assert isinstance(found[-1], Failure)
    assert found[-1].of_question
    assert "tokens, the model takes" in found[-1].reason
    assert found[:-1] == replies(model_folder(kind), questions())


def test_a_text_that_did_not_end_is_rejected(model_folder: MakeFolder, tmp_path: Path) -> None:
    options = LocalOptions(model=str(model_folder("llama")), max_tokens=3)
    model = LocalModel("tiny", options)
    prompts = {"rephrase": Prompt(system="Ask it otherwise.", user="Question: {text}")}
    cache = ResponseCache(tmp_path / "replies.sqlite")
    generator = LanguageModelGenerator("tiny", model, prompts, cache)
    outcomes = generator.generate(rephrase(3))
    assert {outcome.status for outcome in outcomes} == {"rejected"}
    assert outcomes[0].reason == "cut off at max_tokens"
    assert outcomes[0].evidence["model"] == "llama"
    # What is known needs no model.
    generator.release()
    assert LanguageModelGenerator("tiny", model, prompts, cache).generate(rephrase(3)) == outcomes
    assert model._loaded is None


def test_each_reply_of_a_batch_is_in_the_form_of_its_task(model_folder: MakeFolder) -> None:
    asked = [
        Question([{"role": "user", "content": text}], task, seed)
        for seed, text in enumerate(QUESTIONS)
        for task in ("relevance", "answer", "rephrase")
    ]
    options = {"structured": True, "max_tokens": 60, "temperature": 1.0, "dtype": "float32"}
    alone = replies(model_folder("llama"), asked, batch_size=1, **options)
    together = replies(model_folder("llama"), asked, batch_size=16, **options)
    assert together == alone
    for question, reply in zip(asked, alone, strict=True):
        # Random weights babble within the form; "yes" and "no" are short enough to be whole.
        field = {"relevance": "belongs", "answer": "answer"}.get(question.task, "question")
        if question.task == "relevance":
            assert (reply.text in ("yes", "no"), reply.finish) == (True, "stop")
        elif reply.finish == "length":
            assert reply.text.startswith(f'{{"{field}": "')
            assert reply.completion_tokens == 60
        else:
            assert not reply.text.startswith("{")
    assert {reply.text for reply in alone} >= {"yes", "no"}
    assert {reply.finish for reply in alone if reply.text not in ("yes", "no")} >= {"length"}


def test_a_form_that_ends_at_the_last_token_is_whole(model_folder: MakeFolder) -> None:
    asked = [Question([{"role": "user", "content": "Is it?"}], "relevance", 0)]
    [whole] = replies(model_folder("llama"), asked, structured=True, max_tokens=60)
    last = whole.completion_tokens
    assert replies(model_folder("llama"), asked, structured=True, max_tokens=last) == [whole]
    [cut] = replies(model_folder("llama"), asked, structured=True, max_tokens=last - 1)
    assert cut.finish == "length"


def test_the_prompt_asks_for_the_form() -> None:
    user = {"role": "user", "content": "What is rent?"}
    system = {"role": "system", "content": "Ask otherwise."}
    form = 'Reply with one JSON object: {"question": "..."}.'
    assert _in_form(Question([system, user], "rephrase", 0)) == [
        {"role": "system", "content": f"Ask otherwise.\n{form}"},
        user,
    ]
    assert _in_form(Question([user], "rephrase", 0)) == [
        {"role": "system", "content": form},
        user,
    ]


def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def edit(file: Path, **values) -> None:
    content = json.loads(file.read_text()) | values
    file.write_text(json.dumps({key: each for key, each in content.items() if each is not None}))


def test_a_model_that_cannot_be_asked_for_a_form_is_named(
    model_folder: MakeFolder, tmp_path: Path
) -> None:
    for kind in ("gpt2", "t5"):
        with pytest.raises(ValueError, match=r"has no chat template .*set structured: false, or"):
            replies(model_folder(kind), questions(), structured=True)
    folder = copied(model_folder("llama"), tmp_path)
    pieces = tokenizer_of("word pieces", TEMPLATES[0], QUESTIONS)
    pieces.chat_template = "{{ messages[0].content }}"
    pieces.save_pretrained(folder)
    with pytest.raises(ValueError, match=r"of text generator tiny cannot .*cannot be read as byt"):
        replies(folder, questions(), structured=True)


def test_a_model_without_an_end_is_named(model_folder: MakeFolder, tmp_path: Path) -> None:
    folder = copied(model_folder("llama"), tmp_path)
    for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
        edit(folder / name, eos_token_id=None, eos_token=None)
    for structured in (True, False):
        with pytest.raises(ValueError, match="has no token that ends a text: name its eos"):
            replies(folder, questions(), structured=structured)


def cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut_weights, "cannot be loaded .*: give a whole folder"),
        (
            lambda folder: edit(folder / "config.json", model_type="nosuch"),
            "cannot be loaded .*nos",
        ),
        (
            lambda folder: edit(folder / "config.json", num_hidden_layers=3),
            "lacks 9 of the weights",
        ),
        (
            lambda folder: (folder / "chat_template.jinja").write_text("{% for %}"),
            "has a chat template that cannot be used .*: correct its",
        ),
    ],
)
def test_a_folder_that_is_not_whole_is_named(
    model_folder: MakeFolder, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    folder = copied(model_folder("llama"), tmp_path)
    spoil(folder)
    with pytest.raises(ValueError, match=f"^model .*copy of text generator tiny {message}") as said:
        replies(folder, questions())
    assert "\n" not in str(said.value)


def test_other_weights_are_another_model(model_folder: MakeFolder, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model_folder("gpt2"), copy)
    assert fingerprint(copy) == fingerprint(model_folder("gpt2"))
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    assert fingerprint(copy) != fingerprint(model_folder("gpt2"))


def test_a_model_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="model nobody/nothing of text generator x is not on this"):
        LocalModel("x", LocalOptions(model="nobody/nothing"))
    (tmp_path / "pytorch_model.bin").write_bytes(b"code")
    with pytest.raises(ValueError, match=r"has no \*\.safetensors"):
        LocalModel("x", LocalOptions(model=str(tmp_path)))
