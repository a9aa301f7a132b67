"""Targets are read from the teacher once, joined by row, and refused where they do not fit."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from kd_kedro.losses import chunked_head as head_loss
from kd_kedro.losses.divergence_names import BUCKETED, FULL
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate, encode
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.training.loop.training_config import ObjectiveConfig
from kd_kedro.training.teacher import capture as target_capture
from kd_kedro.training.teacher.capture import capture
from kd_kedro.training.teacher.capture_config import CaptureConfig
from kd_kedro.training.teacher.signals import LiveTeacher, log_probs_of
from kd_kedro.training.teacher.store import identity, open_targets
from tests.training.loop.test_train import fit
from tests.training.tiny import ANSWERS, QUESTIONS, tiny_model

TOP_K = CaptureConfig(
    source="top_k",
    k=8,
    bytes_per_token=32,
    temperatures=(2.0,),
    hidden_states=False,
    dtype="float16",
    precision="fp32",
    batch_size=2,
    rows_per_shard=2,
    seed=1,
)
DENSE = TOP_K.model_copy(update={"source": "dense", "dtype": "float32"})
SAMPLED = TOP_K.model_copy(update={"source": "sampled"})
ROWS = [(f"row{i}", q, a) for i, (q, a) in enumerate(zip(QUESTIONS, ANSWERS, strict=True))]


@pytest.fixture
def teacher(tokenizer):
    return LanguageModel(tiny_model(tokenizer, seed=9), tokenizer)


@pytest.fixture
def belongs_to(teacher):
    return identity(ROWS, teacher.tokenizer, [(teacher, 1.0)], 128)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_a_source_does_not_read_is_no_part_of_its_address(
    teacher, examples, belongs_to, tmp_path
):
    def address(config, **changed):
        given = config.model_copy(update=changed)
        return capture([(teacher, 1.0)], examples, belongs_to, tmp_path, given)["fingerprint"]

    unread = {"k": 5, "bytes_per_token": 9, "temperatures": (1.0, 3.0), "seed": 8}
    assert address(DENSE) == address(DENSE, **unread) != address(DENSE, dtype="float16")
    assert address(TOP_K) == address(TOP_K, bytes_per_token=9, seed=8) != address(TOP_K, k=5)
    assert address(SAMPLED) == address(SAMPLED, k=5) != address(SAMPLED, bytes_per_token=9)


def test_a_dense_cache_gives_what_the_live_teacher_gives(teacher, examples, belongs_to, tmp_path):
    manifest = capture([(teacher, 1.0)], examples, belongs_to, tmp_path, DENSE)
    cached = open_targets(manifest, tmp_path, belongs_to)
    live = LiveTeacher(teacher.model, len(teacher.tokenizer), "live")
    batch = collate(examples, 1)
    torch.testing.assert_close(
        cached.signal(batch, 2.0).teacher, live.signal(batch, 2.0).teacher, rtol=1e-4, atol=1e-4
    )
    assert cached.serves == live.serves == FULL
    assert cached.temperatures is live.temperatures is None


def test_a_top_k_cache_gives_the_tokens_and_the_rest(teacher, examples, belongs_to, tmp_path):
    manifest = capture([(teacher, 1.0)], examples, belongs_to, tmp_path, TOP_K)
    batch = collate(examples[2:4], 1)
    signal = open_targets(manifest, tmp_path, belongs_to).signal(batch, 2.0)
    live = LiveTeacher(teacher.model, len(teacher.tokenizer), "live").signal(batch, 2.0).teacher
    top, ids = live.topk(8, -1)
    assert torch.equal(signal.ids, ids)
    torch.testing.assert_close(signal.teacher[:, :8], top, rtol=2e-3, atol=2e-3)
    tail = (1 - top.exp().sum(-1)).log()
    torch.testing.assert_close(signal.teacher[:, 8], tail, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(signal.teacher.exp().sum(-1), torch.ones(len(ids)))
    # A student equal to the teacher is no distance away.
    assert signal.divergence("bucketed_forward_kl", 0.0, live * 2).abs().max() < 1e-4


@pytest.mark.parametrize("settings", [TOP_K, SAMPLED])
def test_rows_are_joined_by_id_in_whatever_order_they_come(
    settings, teacher, examples, belongs_to, tmp_path
):
    manifest = capture([(teacher, 1.0)], examples, belongs_to, tmp_path, settings)
    targets = open_targets(manifest, tmp_path, belongs_to)
    student = torch.randn(1, len(teacher.tokenizer), generator=torch.Generator().manual_seed(1))

    def told(rows):
        batch = collate(rows, 1)
        (name,) = {"bucketed_forward_kl", "forward_kl"} & targets.serves
        logits = student.expand(len(batch.answers), -1)
        return targets.signal(batch, 2.0).divergence(name, 0.0, logits)

    for order in ([3, 0, 5], [5, 3, 0], [1, 1, 4]):
        rows = [examples[i] for i in order]
        torch.testing.assert_close(told(rows), torch.cat([told([row]) for row in rows]))


def test_a_sampled_store_is_as_large_as_its_budget(teacher, belongs_to, tmp_path):
    rows = [(f"row{i}", "Is it so?", " ".join(ANSWERS * 8)) for i in range(24)]
    long = encode(teacher.tokenizer, *zip(*rows, strict=True), 128)
    for bytes_per_token in (12, 24):
        settings = SAMPLED.model_copy(
            update={"rows_per_shard": 12, "bytes_per_token": bytes_per_token}
        )
        manifest = capture([(teacher, 1.0)], long, belongs_to, tmp_path, settings)
        asked = bytes_per_token * manifest["answer_tokens"]
        assert manifest["bytes"] == pytest.approx(asked, rel=0.02)


def test_training_from_the_cache_is_training_from_the_teacher(
    teacher, tokenizer, examples, belongs_to, tmp_path
):
    # Shuffled, accumulated, over epochs: targets joined by step order would go wrong here.
    manifest = capture([(teacher, 1.0)], examples, belongs_to, tmp_path, DENSE)
    cached = open_targets(manifest, tmp_path, belongs_to)
    live = LiveTeacher(teacher.model, len(tokenizer), "live")
    histories = [
        fit(
            tiny_model(tokenizer, seed=3),
            examples,
            tmp_path / "work",
            objective=ObjectiveConfig(alpha=0.3, beta=0.7, temperature=2.0),
            targets=source,
            max_steps=8,
            gradient_accumulation_steps=2,
        )
        for source in (cached, live)
    ]
    losses = [[r["loss"] for r in history if "loss" in r] for history in histories]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_the_manifest_says_what_it_is_and_no_absolute_path(teacher, examples, belongs_to, tmp_path):
    manifest = capture([(teacher, 1.0)], examples, belongs_to, tmp_path, TOP_K)
    text = json.dumps(manifest)
    assert str(tmp_path) not in text
    assert json.loads(text) == manifest
    assert manifest["row_count"] == 6
    assert manifest["answer_tokens"] == sum(example.answer_tokens for example in examples)
    folder = tmp_path / manifest["fingerprint"]
    assert manifest["bytes"] == sum((folder / s["file"]).stat().st_size for s in manifest["shards"])
    assert manifest["serves"] == sorted(BUCKETED)
    assert json.loads((folder / "manifest.json").read_text()) == manifest


@pytest.mark.parametrize("settings", [TOP_K, SAMPLED])
def test_a_killed_capture_goes_on_where_it_was_and_ends_the_same(
    settings, teacher, examples, belongs_to, tmp_path, monkeypatch
):
    whole = capture([(teacher, 1.0)], examples, belongs_to, tmp_path / "whole", settings)
    asked = []
    real = target_capture.log_probs_of

    def dies(*given):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(given)
        return real(*given)

    monkeypatch.setattr(target_capture, "log_probs_of", dies)
    with pytest.raises(KeyboardInterrupt):
        capture([(teacher, 1.0)], examples, belongs_to, tmp_path / "killed", settings)
    folder = tmp_path / "killed" / whole["fingerprint"]
    assert not (folder / "manifest.json").exists()
    (folder / "shard-00002.safetensors.unfinished").write_bytes(b"half")
    (folder / "shard-00001.safetensors").write_bytes(b"damaged after it was whole")
    asked.clear()
    monkeypatch.setattr(target_capture, "log_probs_of", lambda *a: asked.append(a) or real(*a))
    resumed = capture([(teacher, 1.0)], examples, belongs_to, tmp_path / "killed", settings)
    assert len(asked) == 2  # the first of three shards was there
    assert resumed == whole
    assert files(folder) == files(tmp_path / "whole" / whole["fingerprint"])


def test_captured_once_is_not_captured_again(teacher, examples, belongs_to, tmp_path, monkeypatch):
    first = capture([(teacher, 1.0)], examples, belongs_to, tmp_path, TOP_K)
    monkeypatch.setattr(target_capture, "log_probs_of", None)  # the teacher is not asked
    assert capture([(teacher, 1.0)], list(reversed(examples)), belongs_to, tmp_path, TOP_K) == first


def test_another_knob_is_another_store(teacher, examples, belongs_to, tmp_path):
    manifests = [
        capture([(teacher, 1.0)], examples, belongs_to, tmp_path, settings)
        for settings in (
            TOP_K,
            TOP_K.model_copy(update={"k": 9}),
            TOP_K.model_copy(update={"temperatures": (1.0,)}),
            DENSE,
        )
    ]
    assert len({manifest["fingerprint"] for manifest in manifests}) == 4


def test_targets_of_other_rows_another_teacher_or_tokenizer_are_refused_by_name(
    teacher, examples, belongs_to, tmp_path
):
    manifest = capture([(teacher, 1.0)], examples, belongs_to, tmp_path, TOP_K)
    stranger = LanguageModel(tiny_model(teacher.tokenizer, seed=8), teacher.tokenizer)
    others = {
        "set of rows": identity(ROWS[1:], teacher.tokenizer, [(teacher, 1.0)], 128),
        "teacher": identity(ROWS, teacher.tokenizer, [(stranger, 1.0)], 128),
        "tokenizer": identity(ROWS, train_byte_bpe(QUESTIONS, 280), [(teacher, 1.0)], 128),
        "max_length": identity(ROWS, teacher.tokenizer, [(teacher, 1.0)], 64),
    }
    for named, other in others.items():
        with pytest.raises(ValueError, match=rf"^teacher_targets belong to another {named} \("):
            open_targets(manifest, tmp_path, other)
    reordered = identity(ROWS[::-1], teacher.tokenizer, [(teacher, 1.0)], 128)
    open_targets(manifest, tmp_path, reordered)


def test_a_damaged_or_lost_shard_is_named(teacher, examples, belongs_to, tmp_path):
    manifest = capture([(teacher, 1.0)], examples, belongs_to, tmp_path, TOP_K)
    shard = tmp_path / manifest["fingerprint"] / "shard-00001.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"shard-00001\.safetensors is not what was captured"):
        open_targets(manifest, tmp_path, belongs_to)
    shard.unlink()
    with pytest.raises(FileNotFoundError, match=r"shard-00001\.safetensors is gone"):
        open_targets(manifest, tmp_path, belongs_to)


def test_a_manifest_that_is_none_is_refused(tmp_path, belongs_to):
    for manifest in ({}, dict(belongs_to), belongs_to | {"schema": 99}):
        with pytest.raises(ValueError, match=r"no manifest of schema 5 .* capture_targets again"):
            open_targets(manifest, tmp_path, belongs_to)


def test_a_teacher_that_computes_otherwise_is_another_teacher(teacher, tokenizer):
    other = tiny_model(tokenizer, seed=9)
    other.config.activation_function = "relu"
    changed = identity(ROWS, tokenizer, [(LanguageModel(other, tokenizer), 1.0)], 128)
    assert changed["teacher"] != identity(ROWS, tokenizer, [(teacher, 1.0)], 128)["teacher"]


def test_dropout_of_the_teacher_is_off_while_it_is_read(
    teacher, tokenizer, examples, belongs_to, tmp_path
):
    quiet = capture([(teacher, 1.0)], examples, belongs_to, tmp_path / "quiet", DENSE)
    dropping = LanguageModel(tiny_model(tokenizer, seed=9, dropout=0.5).train(), tokenizer)
    noisy = capture([(dropping, 1.0)], examples, belongs_to, tmp_path / "noisy", DENSE)
    assert noisy["shards"] == quiet["shards"]
    assert dropping.model.training  # and it is left as it was


def test_two_captures_at_a_time_leave_one_whole_store(teacher, examples, belongs_to, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        again = [
            pool.submit(capture, [(teacher, 1.0)], examples, belongs_to, tmp_path, TOP_K)
            for _ in range(2)
        ]
        first, second = (each.result() for each in again)
    assert first == second
    open_targets(first, tmp_path, belongs_to)


def test_a_row_that_was_not_captured_is_named(teacher, examples, belongs_to, tmp_path):
    manifest = capture([(teacher, 1.0)], examples, belongs_to, tmp_path, TOP_K)
    targets = open_targets(manifest, tmp_path, belongs_to)
    with pytest.raises(ValueError, match="row stranger was not captured"):
        targets.signal(collate([replace(examples[0], row_id="stranger")], 1), 2.0)
    shorter = replace(examples[0], input_ids=examples[0].input_ids[:-1])
    with pytest.raises(ValueError, match="row row0 was not captured with"):
        targets.signal(collate([shorter], 1), 2.0)


def test_a_k_without_a_tail_is_refused(teacher, examples, belongs_to, tmp_path):
    with pytest.raises(ValueError, match=r"targets\.k is 300 but the vocabulary has"):
        capture(
            [(teacher, 1.0)], examples, belongs_to, tmp_path, TOP_K.model_copy(update={"k": 300})
        )
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_with_the_place(teacher, examples, belongs_to, tmp_path, monkeypatch):
    def full(_number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(target_capture.os, "fsync", full)
    with pytest.raises(OSError, match=r"shard-00000.* could not be written \(.*No space"):
        capture([(teacher, 1.0)], examples, belongs_to, tmp_path, TOP_K)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"lock"}


def test_a_capture_in_small_chunks_holds_few_logits_and_ends_with_the_same(
    teacher, examples, belongs_to, tmp_path, monkeypatch
):
    vocabulary, seen = len(teacher.tokenizer), []

    def spied(model, hidden, *rest):
        seen.append(len(hidden))
        return log_probs_of(model, hidden, *rest)

    monkeypatch.setattr(target_capture, "log_probs_of", spied)
    settings = TOP_K.model_copy(
        update={"batch_size": 6, "rows_per_shard": 6, "hidden_states": True}
    )
    capture([(teacher, 1.0)], examples, belongs_to, tmp_path / "whole", settings)
    assert seen == [sum(row.answer_tokens for row in examples)]
    monkeypatch.setattr(head_loss, "CHUNK_VALUES", 7 * vocabulary)
    capture([(teacher, 1.0)], examples, belongs_to, tmp_path / "chunks", settings)
    assert max(seen[1:]) <= 7
    whole, chunks = (
        load_file(next((tmp_path / name).rglob("*.safetensors"))) for name in ("whole", "chunks")
    )
    for name, values in whole.items():
        torch.testing.assert_close(chunks[name], values, rtol=1e-3, atol=1e-3)
