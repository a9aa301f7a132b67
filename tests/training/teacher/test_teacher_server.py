"""A teacher behind a real HTTP server gives what it gives in process, and no lie comes through."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmarks.completion_server import LIES, CompletionServer
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.training.teacher.capture import capture
from kd_kedro.training.teacher.capture_config import CaptureConfig
from kd_kedro.training.teacher.store import identity, open_targets
from kd_kedro.training.teacher.teacher_server import TeacherServer, TeacherServerOptions
from tests.training.teacher.test_store import ROWS
from tests.training.tiny import tiny_model

FORMS = ("prompt_logprobs", "echo")
CONFIG = CaptureConfig(source="top_k", k=8, hidden_states=False, rows_per_shard=2)
# What each lie is called when it is refused.
SAID = {
    "other tokenizer": "tokenizer",
    "shifted positions": "positions are shifted",
    "shifted probabilities": "positions of the server at .* are shifted",
    "too few entries": "has [45] tokens .*targets.k asks for 8",
    "lower cap": "greater than max allowed: 4.*max-logprobs",
    "NaN": "has NaN as the log probability",
    "minus infinity": "has minus infinity",
    "above 0": "has 0.5 as the log probability .* above 0",
    "sum above 1": "sum to ",
    "cut prompt": "the prompt was cut",
    "marks added": "marks were added",
    "nothing at a place": "has nothing at token",
}


@pytest.fixture(scope="module")
def teacher(tokenizer):
    return LanguageModel(tiny_model(tokenizer, seed=9), tokenizer)


@pytest.fixture(scope="module")
def belongs_to(teacher):
    return identity(ROWS, teacher.tokenizer, [(teacher, 1.0)], 128)


def asker(server, cache=None, **options):
    given = {"base_url": server.url, "model": "tiny", "backoff_s": 0.01, "retries": 1} | options
    keys = given.pop("keys", ())
    return TeacherServer("teacher_server", TeacherServerOptions.model_validate(given), keys, cache)


def captured(teacher, examples, belongs_to, store, who, config=CONFIG):
    served = [(replace(teacher, model=None, server=who), 1.0)]
    return capture(served, examples, belongs_to, store, config)


def rows_asked(server):
    """The rows a server was asked for, without the texts it was tried with."""
    return [tuple(body["prompt"]) for body in server.asked[2:]]


@pytest.mark.parametrize(
    ("form", "how"),
    [
        (FORMS[0], {}),
        ("echo", {}),
        ("echo", {"by_text": True}),
        ("echo", {"own_apart": True}),
        ("echo", {"by_text": True, "own_apart": True}),
    ],
)
def test_a_server_gives_what_the_model_gives(form, how, teacher, examples, belongs_to, tmp_path):
    with CompletionServer(teacher.model, teacher.tokenizer, **how) as server:
        made = captured(teacher, examples, belongs_to, tmp_path / "a", asker(server, form=form))
    own = capture([(teacher, 1.0)], examples, belongs_to, tmp_path / "b", CONFIG)
    batch = collate(examples, 1)
    there, here = (
        open_targets(manifest, tmp_path / place, belongs_to).signal(batch, 1.0)
        for manifest, place in ((made, "a"), (own, "b"))
    )
    assert torch.equal(there.ids, here.ids)
    assert made["serves"] == own["serves"]
    torch.testing.assert_close(there.teacher, here.teacher, rtol=1e-3, atol=1e-3)


def test_nothing_is_asked_twice_of_a_server_that_went_down(teacher, examples, belongs_to, tmp_path):
    cache = tmp_path / "cache.sqlite"
    with CompletionServer(teacher.model, teacher.tokenizer, fail_at=6) as server:
        who = asker(server, cache, concurrency=1)
        with pytest.raises(ValueError, match=r"nothing of row row\d \(HTTP 503.*answered is kept"):
            captured(teacher, examples, belongs_to, tmp_path / "a", who)
        first = rows_asked(server)[:3]
    assert len(first) == 3
    assert load_file(next((tmp_path / "a").rglob("*.safetensors")))
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        made = captured(teacher, examples, belongs_to, tmp_path / "a", asker(server, cache))
        assert len(rows_asked(server)) == len(examples) - 3
        assert not {*rows_asked(server)} & {*first}
        whole = captured(teacher, examples, belongs_to, tmp_path / "b", asker(server))
        # Other rows beside these: those that are known are not asked for.
        asked = len(server.asked)
        config = CONFIG.model_copy(update={"rows_per_shard": 3})
        captured(teacher, examples, belongs_to, tmp_path / "a", asker(server, cache), config)
        assert len(server.asked) == asked
    assert [each["sha256"] for each in made["shards"]] == [
        each["sha256"] for each in whole["shards"]
    ]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_what_was_said_before_a_lie_is_kept(concurrency, teacher, examples, belongs_to, tmp_path):
    cache = tmp_path / "cache.sqlite"
    lying = CompletionServer(teacher.model, teacher.tokenizer, lie="NaN", lie_at=6)
    with lying as server:
        who = asker(server, cache, concurrency=concurrency)
        with pytest.raises(ValueError, match=r"says of row row\d has NaN"):
            captured(teacher, examples, belongs_to, tmp_path, who)
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        captured(teacher, examples, belongs_to, tmp_path, asker(server, cache))
        assert len(rows_asked(server)) == len(examples) - 3


@pytest.mark.parametrize(("form", "apart"), [(FORMS[0], False), ("echo", False), ("echo", True)])
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_by_name_and_nothing_of_it_is_kept(
    form, apart, lie, teacher, examples, belongs_to, tmp_path
):
    other = train_byte_bpe(["zzz yyy xxx www vvv uuu " * 9], vocabulary=300)
    lying = CompletionServer(
        teacher.model,
        teacher.tokenizer,
        lie=lie,
        other=other,
        by_text=lie == "other tokenizer",
        own_apart=apart,
    )
    with lying as server:
        who = asker(server, tmp_path / "cache.sqlite", form=form)
        with pytest.raises(ValueError, match=SAID[lie]) as refused:
            captured(teacher, examples, belongs_to, tmp_path / "a", who)
    assert "\n" not in str(refused.value)
    assert not [*(tmp_path / "a").rglob("*.safetensors")]


def edited(change):
    """What becomes of an answer of which a change has been made in its only choice."""

    def spoil(answer):
        said = json.loads(answer)
        change(said["choices"][0])
        return json.dumps(said).encode()

    return spoil


def instead(value):
    """Put a value in the place of a log probability of the last token but one."""

    def change(choice):
        entries = choice["prompt_logprobs"][-2]
        entries[next(iter(entries))]["logprob"] = value

    return edited(change)


def echoed(name, value):
    """Put a value in the place of what a list of `echo` has of the last token but one."""
    return edited(lambda choice: choice["logprobs"][name].__setitem__(-2, value))


NO_COMPLETION = r"\(the answer is no completion; 2 attempts used\)"
# What a server may send: the form that was asked for, the bytes it sends, what is said of them.
SPOILT = {
    "nested": (FORMS[0], lambda _: b"[" * 200_000 + b"]" * 200_000, NO_COMPLETION),
    "nested in a list": (
        "echo",
        lambda answer: answer[:-1] + b', "more": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        NO_COMPLETION,
    ),
    "an error that is nested": (
        FORMS[0],
        lambda _: b'{"error": ' * 400 + b'"x"' + b"}" * 400,
        r"\(HTTP 502.*; 2 attempts used\)",
    ),
    "null": (FORMS[0], lambda _: b"null", NO_COMPLETION),
    "nothing": ("echo", lambda _: b"", NO_COMPLETION),
    "no choices": (FORMS[0], lambda _: b'{"choices": null}', NO_COMPLETION),
    "a null choice": ("echo", lambda _: b'{"choices": [null]}', NO_COMPLETION),
    "a page": (FORMS[0], lambda _: b"<!doctype html><html>Bad gateway</html>", NO_COMPLETION),
    "no text": (FORMS[0], lambda _: b"\xff\xfe{", NO_COMPLETION),
    "cut off": ("echo", lambda answer: answer[: len(answer) // 2], NO_COMPLETION),
    "a long number": (FORMS[0], lambda _: b"9" * 9999, NO_COMPLETION),
    "no list": (FORMS[0], edited(lambda each: each.update(prompt_logprobs={})), "has no list"),
    "null lists": ("echo", edited(lambda each: each.update(logprobs=None)), "has no logprobs"),
    "below all": (FORMS[0], instead(-(10**400)), r"has minus infinity \(-inf\)"),
    "above all": (FORMS[0], instead(10**400), "has inf .* above 0"),
    "a boolean": (FORMS[0], instead(True), "has True .* is no number"),
    "a text": (FORMS[0], instead("-1.5" * 9999), "has '-1.5.{,150}is no number"),
    "a null": (FORMS[0], instead(None), "has None .* is no number"),
    "an own null": ("echo", echoed("token_logprobs", None), "has None .* is no number"),
    "an own below all": ("echo", echoed("token_logprobs", -(10**400)), "has minus infinity"),
    "a number for a name": ("echo", echoed("tokens", 5), "has 5 at token .* was sent"),
    "a list for a name": ("echo", echoed("tokens", [[[]]]), r"has \[\[\[\]\]\] at token"),
    "a number for a place": ("echo", echoed("top_logprobs", 7), "has no object of tokens"),
    "a long id": (
        "echo",
        edited(
            lambda each: each["logprobs"]["top_logprobs"][-2].update({"token_id:" + "9" * 9999: -9})
        ),
        "has the token '999.{,90}tokenizer has the ids 0 to",
    ),
    "a foreign id": (
        FORMS[0],
        edited(lambda each: each["prompt_token_ids"].__setitem__(1, [1] * 99)),
        r"token 1 is \[1, 1.{,40}, not",
    ),
}


@pytest.mark.parametrize("what", [*SPOILT, "a connection that breaks off"])
def test_what_is_no_answer_is_one_sentence_and_what_came_before_is_kept(
    what, teacher, examples, belongs_to, tmp_path
):
    form, spoil, said = SPOILT.get(what, (FORMS[0], None, r"\(the connection broke off; 2 att"))
    cache = tmp_path / "cache.sqlite"
    spoiling = CompletionServer(
        teacher.model, teacher.tokenizer, lie_at=5, spoil=spoil, hangs_up=spoil is None
    )
    who = asker(spoiling, cache, form=form, concurrency=1)
    with spoiling, pytest.raises(ValueError, match=said) as refused:
        captured(teacher, examples, belongs_to, tmp_path, who)
    assert re.search(rf"server at {spoiling.url} says( nothing)? of row row\d", str(refused.value))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        who = asker(server, cache, form=form)
        captured(teacher, examples, belongs_to, tmp_path / "b", who)
        assert len(rows_asked(server)) == len(examples) - 2


def test_an_own_token_that_is_likelier_than_the_likeliest_is_a_lie(
    teacher, examples, belongs_to, tmp_path
):
    def raised(choice):
        listed = choice["logprobs"]
        place = next(
            place
            for place, name in enumerate(listed["tokens"])
            if place and name not in listed["top_logprobs"][place]
        )
        least = min(listed["top_logprobs"][place].values())
        listed["token_logprobs"][place] = least + 0.01

    lying = CompletionServer(
        teacher.model, teacher.tokenizer, own_apart=True, lie_at=3, spoil=edited(raised)
    )
    with lying as server, pytest.raises(ValueError, match=r"not among the 8 likeliest .* shifted"):
        captured(teacher, examples, belongs_to, tmp_path, asker(server, form="echo"))


def test_a_server_that_tells_ids_alone_still_proves_its_tokenizer(
    teacher, examples, belongs_to, tmp_path
):
    other = train_byte_bpe(["zzz yyy xxx www vvv uuu " * 9], vocabulary=300)
    lying = CompletionServer(teacher.model, teacher.tokenizer, lie="other tokenizer", other=other)
    with lying as server, pytest.raises(ValueError, match=r"has the text .* tokenizer is another"):
        captured(teacher, examples, belongs_to, tmp_path, asker(server, form="echo"))


def test_a_wrong_key_model_or_address_is_told(teacher, examples, belongs_to, tmp_path):
    with CompletionServer(teacher.model, teacher.tokenizer, key="right") as server:
        with pytest.raises(ValueError, match=r"refuses key 1 of 1 .* in credentials"):
            captured(teacher, examples, belongs_to, tmp_path, asker(server, keys=["wrong"]))
        captured(teacher, examples, belongs_to, tmp_path, asker(server, keys=["right"]))
        url = f"{server.url}/elsewhere"
        with pytest.raises(ValueError, match="knows no model tiny"):
            asker(server, base_url=url).check(teacher.tokenizer, 8)
    with pytest.raises(ValueError, match="teacher_server finds no server at"):
        asker(server).check(teacher.tokenizer, 8)


@pytest.mark.parametrize("form", FORMS)
def test_a_server_says_how_long_a_row_may_be(form, teacher, examples):
    row = examples[0]
    with CompletionServer(teacher.model, teacher.tokenizer, max_model_len=40) as server:
        who = asker(server, form=form)
        most = who.positions()
        fitting, long = (replace(row, input_ids=row.input_ids[:n]) for n in (most, most + 1))
        fitting, long = (replace(each, answer_start=most - 2) for each in (fitting, long))
        assert who.log_probs([fitting], teacher.tokenizer, 5, lambda: None)
        with pytest.raises(ValueError, match="maximum context length is 40 tokens"):
            who.log_probs([long], teacher.tokenizer, 5, lambda: None)
        prompts = [row.input_ids[:n] for n in (20, 38)]
        who.write(prompts, 9, lambda: None)
        assert {body["max_tokens"] for body in server.asked[-2:]} == {9, 2}
        assert asker(server, model="another").positions() is None
        assert asker(server, base_url=f"{server.url}/elsewhere").positions() is None
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        assert asker(server).positions() is None
    assert asker(server).positions() is None  # it is gone


def test_another_model_at_the_server_is_another_store(teacher, examples, belongs_to, tmp_path):
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        one, other = (
            captured(
                teacher,
                examples,
                identity(
                    ROWS, teacher.tokenizer, [(replace(teacher, model=None, server=who), 1.0)], 128
                ),
                tmp_path,
                who,
            )
            for who in (asker(server), asker(server, model="large"))
        )
    assert one["fingerprint"] != other["fingerprint"]
    assert json.loads(json.dumps(one))["server"] == {"model": "tiny", "extra_body": {}}


def test_what_is_kept_of_a_row_is_what_was_said(teacher, examples, tmp_path):
    row = examples[0]
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        for _ in range(2):  # the second time from the cache
            (got,) = asker(server, tmp_path / "c.sqlite").log_probs(
                [row], teacher.tokenizer, 5, lambda: None
            )
            with torch.no_grad():
                logits = teacher.model(torch.tensor([row.input_ids])).logits[0]
            top, ids = logits.log_softmax(-1)[row.answer_start - 1 : -1].topk(5)
            assert np.array_equal(got.ids, ids)
            np.testing.assert_allclose(got.log_probs, top, rtol=1e-5)
