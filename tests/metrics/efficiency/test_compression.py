"""What the student saves, measured on two small real models."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_kedro.metrics.efficiency.compression import Entry, System, certify
from kd_kedro.metrics.efficiency.latency import certified
from kd_kedro.metrics.efficiency.memory import parameters, safetensors_bytes, weight_bytes
from kd_kedro.metrics.efficiency.parity import pareto_table, parity


def _model(width: int, *, tied: bool = True) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=300,
        n_positions=64,
        n_embd=width,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
        tie_word_embeddings=tied,
    )
    return GPT2LMHeadModel(config).eval()


def _entry(model: Any, prompts: list[list[int]]) -> Entry:
    from kd_kedro.inference.incremental import model_steps

    facts = {
        "parameters": parameters(model),
        "bytes": safetensors_bytes(model),
        "perplexity": 2.0,
    }
    steps = model_steps(model)
    return Entry(System(lambda _: steps, prompts, 64), facts, weight_bytes(model))


def _certify(teacher: Entry, student: Entry, **changed: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "new_tokens": 4,
        "max_seconds": 5,
        "batch_sizes": [1],
        "threads": [1],
        "max_spread": 1.0,
    }
    return certify(teacher, student, {}, **{**settings, **changed})


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_bytes_are_those_of_the_saved_file(tmp_path: Path, tied: bool, dtype: str) -> None:
    import torch

    model = _model(32, tied=tied).to(getattr(torch, dtype))
    model.save_pretrained(tmp_path)
    assert safetensors_bytes(model) == (tmp_path / "model.safetensors").stat().st_size


def test_certificate_of_two_models() -> None:
    import torch

    threads = torch.get_num_threads()
    prompts = [
        [1, 2, 3],
        [4] * 100,
        [5, 6],
        [7],
        [8],
    ]  # the second is longer than the model's 64 positions
    teacher, student = _entry(_model(64), prompts), _entry(_model(16), prompts)
    said = _certify(teacher, student, batch_sizes=[1, 2], max_spread=1000.0)
    assert said["schema"] == "kd_kedro.compression/2"
    assert said["answers_timed"] == 5
    ratios = said["ratios"]
    assert ratios["bytes"] == said["teacher"]["bytes"] / said["student"]["bytes"]
    assert ratios["peak_memory"] > 1
    assert ratios["tokens_per_second"] == ratios["latency_p50"] == said["settings"][0]["ratio"]
    assert set(ratios) == {
        "parameters", "bytes", "peak_memory", "latency_p50", "latency_p95", "latency_p99",
        "prefill_p50", "decode_p50", "tokens_per_second",
    }  # fmt: skip
    assert [(each["threads"], each["batch"]) for each in said["settings"]] == [(1, 1), (1, 2)]
    assert said["machine"].keys() == {"cpu", "cores", "load_before", "load_after"}
    assert [row["model"] for row in said["pareto"]] == ["teacher", "student"]
    assert torch.get_num_threads() == threads


def test_same_setting_is_timed_once() -> None:
    from kd_kedro.metrics.efficiency.latency import cores

    entry = _entry(_model(16), [[1]])
    said = _certify(entry, entry, threads=[0, cores()])
    assert len(said["settings"]) == 1


def test_peak_memory_is_weights_and_what_lives_beside_them() -> None:
    model = _model(64)
    entry = _entry(model, [[1]])
    said = _certify(entry, entry, new_tokens=2)
    beside = said["teacher"]["peak_memory_bytes"] - sum(w.nbytes for w in model.parameters())
    # At least one row of logits (300 × 4 bytes); far less than the weights.
    assert 1200 <= beside < weight_bytes(model)


def test_an_answer_never_needs_more_positions_than_there_are() -> None:
    entry = _entry(_model(16), [[1, 2]])
    assert _certify(entry, entry, new_tokens=99)["new_tokens"] == 63


def test_one_turn_is_timed_whatever_the_limit_and_certifies_nothing() -> None:
    entry = _entry(_model(16), [[1]] * 50)
    said = _certify(entry, entry, max_seconds=1e-9)
    assert said["answers_timed"] == 1
    assert said["ratios"]["latency_p50"]["refused"].startswith("1 turns fitted into the time")
    assert said["settings"][0]["ratio"] is None


def test_ratio_is_the_median_of_paired_ratios() -> None:
    fast = np.array([1.0, 10.0, 2.0, 1.0, 5.0])  # a busy moment hits both
    ratio, spread = certified(3 * fast, fast, quantile=None, max_spread=0.1)
    assert ratio == pytest.approx(3)
    assert spread == pytest.approx(0)


def test_ratio_that_spreads_is_refused() -> None:
    fast = np.ones(9)
    slow = np.array([1.0, 9, 1, 9, 1, 9, 1, 9, 5])
    ratio, spread = certified(slow, fast, quantile=None, max_spread=0.1)
    assert isinstance(ratio, dict)
    assert ratio["refused"].endswith("over 9 turns, more than 10 %")
    assert spread is not None
    assert spread > 0.1


def test_one_token_has_no_further_tokens_to_time() -> None:
    entry = _entry(_model(16), [[1, 2]])
    said = _certify(entry, entry, new_tokens=1)
    assert said["teacher"]["decode_p50_ms"] is None
    assert "no further tokens" in said["ratios"]["decode_p50"]["refused"]


_GATE: dict[str, Any] = {
    "margin": 0.05, "confidence": 0.95, "min_families": 30, "draws": 500, "seed": 0,
}  # fmt: skip


def test_parity_is_shown_where_nothing_changed() -> None:
    sums = np.random.default_rng(0).uniform(5, 9, (40, 2))
    told = parity(sums, sums, **_GATE)
    assert told == {"perplexity_change": 0, "perplexity_change_high": 0, "reason": ""}


def test_variant_above_the_margin_is_rejected() -> None:
    sums = np.column_stack([np.full(40, 10.0), np.full(40, 5.0)])
    worse = sums + np.array([0.5, 0])  # 0.1 nats a token: perplexity × 1.105
    told = parity(worse, sums, **_GATE)
    assert told["perplexity_change"] == pytest.approx(np.exp(0.1) - 1)
    assert told["reason"].startswith("perplexity rises by 10.5 %")


def test_parity_needs_families() -> None:
    sums = np.ones((5, 2))
    assert "5 held-out families" in parity(sums, sums, **_GATE)["reason"]


def test_front_holds_what_nothing_beats_in_all() -> None:
    def entry(perplexity: float | None, ms: float, size: int, status: str = "accepted") -> Any:
        return {
            "perplexity": perplexity, "latency_p50_ms": ms, "bytes": size, "status": status,
        }  # fmt: skip

    table = pareto_table(
        {
            "teacher": entry(2.0, 30, 900),
            "student": entry(3.0, 10, 300),
            "beaten": entry(3.1, 11, 300),
            "small": entry(3.2, 12, 100),
            "rejected": entry(9.0, 1, 50, "rejected"),
            "other tokens": entry(None, 1, 1),
        }
    )
    assert {row["model"] for row in table if row["on_front"] == "yes"} == {
        "teacher", "student", "small",
    }  # fmt: skip


def test_what_is_not_certified_is_told_with_its_reason() -> None:
    from kd_kedro.metrics.scores.formatting import refusals, show_ratio, summarise

    entry = _entry(_model(16), [[1, 2]] * 5)
    said = _certify(entry, entry, new_tokens=1, max_spread=1000.0)
    assert show_ratio(said["ratios"]["decode_p50"]) == "not certified"
    told = refusals(said)
    assert told.startswith("Not certified: time of a further token, ms. Of the first: answers of")
    assert summarise(None, None, said)[0].note == refusals(said)
