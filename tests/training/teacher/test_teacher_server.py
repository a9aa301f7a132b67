"""A teacher behind a real HTTP server gives what it gives in process, and no lie comes through."""

import json
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


@pytest.mark.parametrize(("form", "by_text"), [(FORMS[0], False), ("echo", False), ("echo", True)])
def test_a_server_gives_what_the_model_gives(
    form, by_text, teacher, examples, belongs_to, tmp_path
):
    with CompletionServer(teacher.model, teacher.tokenizer, by_text=by_text) as server:
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


def test_what_was_said_before_a_lie_is_kept(teacher, examples, belongs_to, tmp_path):
    cache = tmp_path / "cache.sqlite"
    lying = CompletionServer(teacher.model, teacher.tokenizer, lie="NaN", lie_at=6)
    with lying as server:
        who = asker(server, cache, concurrency=1)
        with pytest.raises(ValueError, match=r"says of row row\d has NaN"):
            captured(teacher, examples, belongs_to, tmp_path, who)
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        captured(teacher, examples, belongs_to, tmp_path, asker(server, cache))
        assert len(rows_asked(server)) == len(examples) - 3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_by_name_and_nothing_of_it_is_kept(
    form, lie, teacher, examples, belongs_to, tmp_path
):
    other = train_byte_bpe(["zzz yyy xxx www vvv uuu " * 9], vocabulary=300)
    lying = CompletionServer(
        teacher.model, teacher.tokenizer, lie=lie, other=other, by_text=lie == "other tokenizer"
    )
    with lying as server:
        who = asker(server, tmp_path / "cache.sqlite", form=form)
        with pytest.raises(ValueError, match=SAID[lie]) as refused:
            captured(teacher, examples, belongs_to, tmp_path / "a", who)
    assert "\n" not in str(refused.value)
    assert not [*(tmp_path / "a").rglob("*.safetensors")]


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
