"""What the student saves, measured on two small real models."""

from pathlib import Path
from typing import Any

import pytest

from kd_kedro.metrics.compression import System, compare, safetensors_bytes


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
    return GPT2LMHeadModel(config)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_bytes_are_those_of_the_saved_file(tmp_path: Path, tied: bool, dtype: str) -> None:
    import torch

    model = _model(32, tied=tied).to(getattr(torch, dtype))
    model.save_pretrained(tmp_path)
    assert safetensors_bytes(model) == (tmp_path / "model.safetensors").stat().st_size


def test_comparison_of_two_models() -> None:
    import torch

    threads = torch.get_num_threads()
    teacher, student = _model(64), _model(16)
    student.train()
    prompts = [[1, 2, 3], [4] * 100, [5, 6]]  # the second is longer than the model's 64 positions
    said = compare(System(teacher, prompts), System(student, prompts), new_tokens=4, max_seconds=5)
    assert said["answers_timed"] == 3
    assert said["teacher"]["parameters"] == sum(weight.numel() for weight in teacher.parameters())
    ratios = said["ratios"]
    assert ratios["bytes"] == said["teacher"]["bytes"] / said["student"]["bytes"]
    assert ratios["peak_memory"] > 1
    assert ratios["tokens_per_second"] == pytest.approx(ratios["latency_p50"])
    assert set(ratios) == {
        "parameters", "bytes", "latency_p50", "latency_p95", "tokens_per_second", "peak_memory",
    }  # fmt: skip
    assert torch.get_num_threads() == threads
    assert student.training


def test_peak_memory_is_weights_and_what_lives_beside_them() -> None:
    model = _model(64)
    weights = sum(weight.nbytes for weight in model.parameters())
    said = compare(System(model, [[1]]), System(model, [[1]]), new_tokens=2, max_seconds=1)
    beside = said["teacher"]["peak_memory_bytes"] - weights
    # At least one row of logits (300 × 4 bytes); far less than the weights.
    assert 1200 <= beside < weights


def test_an_answer_never_needs_more_positions_than_there_are() -> None:
    model = _model(16)
    said = compare(System(model, [[1, 2]]), System(model, [[1, 2]]), new_tokens=99, max_seconds=1)
    assert said["new_tokens"] == 63


def test_time_limit_still_times_three_answers() -> None:
    model = _model(16)
    prompts = [[1]] * 50
    said = compare(System(model, prompts), System(model, prompts), new_tokens=1, max_seconds=1e-9)
    assert said["answers_timed"] == 3
