"""What a distillation will cost: the arithmetic by hand, the probe on real tiny models."""

import math
from dataclasses import replace

import pytest

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.storage.fingerprints import tokenizer_fingerprint
from kd_kedro.training.loop.training_config import ObjectiveConfig, TrainingConfig, planned_steps
from kd_kedro.training.planning.plan import (
    CaptureCost,
    Plan,
    Rates,
    TrainingCost,
    break_even_epochs,
    candidate_lines,
    cost_lines,
    count,
    duration,
    size,
)
from kd_kedro.training.planning.probe import (
    _at,
    evenly,
    padded_tokens,
    probe_capture,
    probe_training,
    shard_memory,
    training_batches,
)
from kd_kedro.training.teacher.capture import capture
from kd_kedro.training.teacher.capture_config import CaptureConfig

TRAINED = TrainingCost(
    name="student",
    steps=100,
    epochs=4.0,
    accumulation=2,
    evaluations=5,
    checkpoints=5,
    rates=Rates(start=3.0, batch=0.2, update=0.1, evaluation=1.0, checkpoint=0.5),
    memory=700,
    checkpoint_bytes=40,
    model_bytes=20,
    parameters=10,
    tokens=5000.0,
)
TEACHER = replace(
    TRAINED, name="teacher", steps=200, memory=900, checkpoint_bytes=90, parameters=40
)
LIVE = replace(TRAINED, name="live teacher", rates=replace(TRAINED.rates, batch=0.3))
CAPTURE = CaptureCost(
    rows=50, answer_tokens=10, seconds=8.0, memory=800, bytes=600, parameters=40, tokens=300
)
PLAN = Plan(
    tokenizer_seconds=1.0,
    teacher=TEACHER,
    capture=CAPTURE,
    baseline=TRAINED,
    student=TRAINED,
    live=LIVE,
    further_seeds=2,
    device="cpu",
)


def settings(**changed):
    given = {
        "learning_rate": 1e-3,
        "batch_size": 2,
        "gradient_accumulation_steps": 1,
        "epochs": 10,
        "max_tokens": 10**9,
        "max_steps": 0,
        "warmup_ratio": 0.1,
        "lr_scheduler_type": "cosine",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "num_evaluations": 3,
        "patience": 0,
        "precision": "fp32",
    }
    return TrainingConfig(**given | changed)


def capture_settings(**changed):
    given = {
        "source": "top_k",
        "k": 4,
        "bytes_per_token": 16,
        "temperatures": (1.0,),
        "hidden_states": False,
        "dtype": "float16",
        "precision": "fp32",
        "batch_size": 2,
        "rows_per_shard": 4,
        "seed": 0,
    }
    return CaptureConfig(**given | changed)


def test_a_training_takes_the_sum_of_its_parts() -> None:
    # 3 once + 100 x (2 x 0.2 + 0.1) + 5 x 1.0 + 5 x 0.5
    assert TRAINED.seconds == pytest.approx(60.5)
    assert TRAINED.epoch_seconds == pytest.approx(12.5)


def test_twice_the_epochs_are_twice_the_steps_seconds() -> None:
    twice = replace(TRAINED, steps=200, epochs=8.0)
    assert twice.seconds - TRAINED.seconds == pytest.approx(50.0)
    assert twice.epoch_seconds == TRAINED.epoch_seconds


def test_a_capture_pays_off_when_the_seconds_it_saves_exceed_its_own() -> None:
    assert break_even_epochs(capture=10.0, cached_epoch=2.0, live_epoch=7.0) == 2.0
    assert break_even_epochs(capture=10.0, cached_epoch=7.0, live_epoch=7.0) == math.inf
    assert break_even_epochs(capture=10.0, cached_epoch=9.0, live_epoch=7.0) == math.inf


def test_the_sums_of_a_plan() -> None:
    # An epoch has 25 steps of 2 batches: a live one takes 25 x 2 x 0.1 = 5 seconds longer.
    assert PLAN.break_even == pytest.approx(8.0 / 5.0)
    assert PLAN.seconds == pytest.approx(1 + 110.5 + 8 + 6 * 60.5)
    assert PLAN.memory == 900
    assert PLAN.model_bytes == 20 * (1 + 1 + 2 * 3)
    assert PLAN.disk == 600 + 160 + 3 * 90
    figures = PLAN.figures()
    assert figures["break_even_epochs"] == pytest.approx(1.6)
    assert figures["break_even_students"] == 1
    assert figures["seconds_of"]["further_seeds"] == pytest.approx(242.0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "Capture now: it pays off from epoch 2 of the first student on, of 4.0 epochs"),
        ({"capture": replace(CAPTURE, seconds=50.0)}, "pays off with student 3 of 3 planned"),
        ({"capture": replace(CAPTURE, seconds=70.0)}, "pays off with 4 students; 3 planned"),
        ({"live": TRAINED}, "never pays off"),
        ({"live": None}, "asks no teacher"),
    ],
)
def test_the_conclusion_is_one_sentence(changed, said) -> None:
    assert said in replace(PLAN, **changed).conclusion()


def test_the_lines_say_all_parts() -> None:
    lines = {line[0]: line for line in cost_lines(PLAN)}
    assert lines["teacher targets"][4:] == ("800 B", "600 B (60 B a token)")
    assert lines["teacher"][1:] == ("200 steps", "1.2 M", "1 min 50 s", "900 B", "20 B")
    assert (duration(7322), size(1_234_567), count(4.5e15)) == ("2.0 h", "1.23 MB", "4.5 P")


def test_a_teacher_that_is_kept_as_it_came_takes_disk() -> None:
    kept = replace(PLAN, pretrained_teacher=True)
    assert kept.model_bytes == PLAN.model_bytes + TEACHER.model_bytes
    lines = {line[0]: line for line in cost_lines(kept)}
    assert lines["the teacher as it came"][-1] == lines["teacher"][-1]


def test_a_plan_says_what_the_same_compute_buys_without_a_teacher() -> None:
    # Teacher 6 x 40 x 5000, capture 2 x 40 x 300, a student's token 6 x 10.
    assert PLAN.teacher.flops == 1_200_000
    assert PLAN.capture.flops == 24_000
    assert PLAN.patient_tokens == pytest.approx({"given": 5400, "counted": 25_400})
    three = replace(PLAN, ensemble_members=2, ensemble_teachers=3)
    assert three.patient_tokens["counted"] == pytest.approx(5400 + 3 * 20_000)
    live = replace(PLAN, asks_live=True)  # 2 x 40 x 5000 FLOPs
    assert live.patient_tokens["given"] == pytest.approx(5000 + 400_000 / 60)
    alone = replace(PLAN, live=None, teacher=replace(TEACHER, tokens=0.0))
    assert alone.patient_tokens == {"given": 5000}
    assert PLAN.figures()["flops_of"] == {
        "teacher": 1_200_000,
        "asking": 24_000,
        "baseline": 300_000,
        "student": 300_000,
    }
    assert "would read 5.4 k tokens, 25.4 k with the teacher's training counted" in PLAN.patience()
    assert "would read 5 k tokens; the student reads 5 k" in alone.patience()


def test_patient_twins_take_the_time_of_the_tokens_they_read() -> None:
    both = replace(PLAN, patient_accounts=("given", "counted"))
    # Three seconds once, and 57.5 for every 5000 tokens.
    assert both.patient_seconds == pytest.approx(3 * (2 * 3 + (5400 + 25_400) / 5000 * 57.5))
    assert both.seconds - PLAN.seconds == pytest.approx(both.patient_seconds)
    assert both.model_bytes - PLAN.model_bytes == 3 * 2 * 20
    assert "patient twins" in [line[0] for line in cost_lines(both)]


def test_a_start_out_of_the_teacher_is_paid_for_once_and_its_shapes_are_listed() -> None:
    shape = dict(zip(("num_hidden_layers", "hidden_size"), (2, 96), strict=True))
    shape |= {"num_attention_heads": 3, "intermediate_size": 352}
    counted = {"parameters": 418_016, "parameters_share": 0.265, "bytes": 1_672_064}
    timed = {"latency_ms": 12.34, "latency_share": 0.52, "validation_loss": None}
    plan = replace(PLAN, start_seconds=30.0, candidates=({**shape, **counted, **timed},))
    assert plan.seconds == pytest.approx(PLAN.seconds + 30.0)
    assert plan.figures()["seconds_of"]["start"] == 30.0
    assert plan.model_bytes == PLAN.model_bytes + 20
    lines = {line[0]: line for line in cost_lines(plan)}
    assert lines["students' start"][1:4] == ("1 shape", "", "30.0 s")
    assert list(candidate_lines(plan)) == [
        ("2", "96", "3", "352", "418,016 (26 %)", "1.67 MB", "12.3 ms (52 %)")
    ]
    assert list(candidate_lines(PLAN)) == []


@pytest.mark.parametrize(("count", "noun"), [(1, "1 further {}"), (2, "2 further {}s")])
def test_one_of_a_kind_is_not_several(count, noun) -> None:
    plan = replace(PLAN, ensemble_teachers=count, further_seeds=count)
    names = [line[0] for line in cost_lines(plan)]
    assert noun.format("teacher") in names
    assert f"both with {noun.format('seed')}" in names


def test_batches_are_spread_over_the_lengths_and_the_longest_is_among_them() -> None:
    assert evenly(range(9), 3) == [0, 4, 8]
    assert evenly(range(10), 1) == [9]
    assert evenly(range(3), 5) == [0, 1, 2]


def test_seconds_are_on_the_line_through_those_measured() -> None:
    assert _at(30.0, [10, 20, 40], [1.5, 2.0, 3.0]) == pytest.approx(2.5)
    assert _at(30.0, [20, 20], [1.0, 3.0]) == pytest.approx(3.0)


def test_a_training_is_probed_as_it_would_be_trained(model, examples, tmp_path) -> None:
    chosen = settings()
    probed = training_batches(examples, chosen, seed=1)
    assert [padded_tokens(batch) for batch in probed] == sorted(map(padded_tokens, probed))
    cost = probe_training(
        model,
        examples,
        examples[:3],
        probed,
        objective=ObjectiveConfig(),
        targets=None,
        settings=chosen,
        seed=1,
        padding=0,
        work_dir=tmp_path,
        name="student",
    )
    assert cost.steps == planned_steps(examples, chosen) == 30
    assert (cost.epochs, cost.evaluations) == (10.0, 3)
    assert cost.tokens == pytest.approx(10 * sum(len(row.input_ids) for row in examples))
    assert cost.parameters == sum(weight.numel() for weight in model.parameters())
    assert cost.model_bytes == 4 * sum(weight.numel() for weight in model.parameters())
    assert cost.checkpoint_bytes >= cost.model_bytes
    rates = cost.rates
    assert min(rates.start, rates.batch, rates.update, rates.evaluation, rates.checkpoint) > 0
    assert not list(tmp_path.rglob("*.safetensors"))


def test_the_longest_batches_of_a_capture_and_of_an_evaluation_are_among_those_probed(
    model, tokenizer, examples, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("kd_kedro.training.planning.probe.SECONDS", 0.0)
    read = []
    model.register_forward_pre_hook(
        lambda _, given, named: read.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    longest = max(len(row.input_ids) for row in examples)
    chosen = settings(batch_size=1)
    probed = training_batches(examples[:2], chosen, seed=1)
    belongs_to = {"teacher": "t", "tokenizer": tokenizer_fingerprint(tokenizer)}
    teachers = [(LanguageModel(model, tokenizer, {}), 1.0)]
    whole = capture_settings(batch_size=6, rows_per_shard=6)
    probe_capture(teachers, examples, probed, belongs_to, tmp_path, whole)
    assert (len(examples), longest) in read
    monkeypatch.setattr("kd_kedro.training.planning.probe._EVALUATED", 2)
    read.clear()
    probe_training(
        model,
        examples[:2],
        examples,
        probed,
        objective=ObjectiveConfig(),
        targets=None,
        settings=chosen,
        seed=1,
        padding=0,
        work_dir=tmp_path,
        name="student",
    )
    assert (2, longest) in read


@pytest.mark.parametrize("source", ["top_k", "dense", "sampled"])
def test_the_bytes_of_a_capture_are_those_of_the_whole(
    model, tokenizer, examples, tmp_path, source
) -> None:
    chosen = capture_settings(source=source)
    teachers = [(LanguageModel(model, tokenizer, {}), 1.0)]
    belongs_to = {"teacher": "t", "tokenizer": tokenizer_fingerprint(tokenizer)}
    probed = training_batches(examples, settings(), seed=1)
    cost, manifest, batches = probe_capture(
        teachers, examples, probed, belongs_to, tmp_path, chosen
    )
    whole = capture(teachers, examples, belongs_to, tmp_path / "whole", chosen)
    assert batches == probed
    assert manifest["row_count"] == len(examples)
    assert (cost.rows, cost.answer_tokens) == (whole["row_count"], whole["answer_tokens"])
    assert cost.tokens == sum(len(row.input_ids) for row in examples)
    assert cost.parameters == sum(weight.numel() for weight in model.parameters())
    assert cost.bytes == pytest.approx(whole["bytes"], rel=0.05)


def test_the_memory_of_a_whole_shard_by_hand() -> None:
    manifest = {"shards": [{"bytes": 40}, {"bytes": 60}]}
    # 50 rows, 600 bytes: a shard of 20 rows has 240, twice, where the probe held 60, twice.
    chosen = capture_settings(rows_per_shard=20)
    assert shard_memory(CAPTURE, manifest, chosen) == 2 * (240 - 60)
    # Its 4 answer tokens are first sampled: at most 128 entries each, of 8 bytes.
    sampled = capture_settings(rows_per_shard=20, source="sampled")
    assert shard_memory(CAPTURE, manifest, sampled) == 2 * (240 - 60) + 4 * 128 * 8
