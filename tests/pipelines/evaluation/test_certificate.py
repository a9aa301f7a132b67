"""The student's variants: made, judged, and told of where they cannot be."""

import copy
import json
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import torch

from kd_kedro.inference import onnx_export
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.evaluation import variants
from kd_kedro.pipelines.evaluation.certificate import certificate_entry, certify_student
from kd_kedro.pipelines.evaluation.params import CompressionParams
from tests.training.architectures import build
from tests.training.tiny import ANSWERS, QUESTIONS, tiny_model

ROWS = pd.DataFrame({"question": QUESTIONS, "answer": ANSWERS, "family_id": list("abcdef")})


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_byte_bpe([*QUESTIONS, *ANSWERS], 300)


def _certify(student: Any, tokenizer: Any, *names: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    params = CompressionParams(
        prompts=3,
        new_tokens=2,
        max_seconds=0.1,
        batch_sizes=[1],
        threads=[1],
        variants=list(names),
        min_families=2,
        margin=0.5,
        draws=100,
    )
    teacher = LanguageModel(tiny_model(tokenizer, width=32), tokenizer)
    return certify_student(QUESTIONS[:3], ROWS, teacher, LanguageModel(student, tokenizer), params)


def test_an_ensemble_costs_what_its_models_cost_together(tokenizer: Any) -> None:
    models = [tiny_model(tokenizer, width=32), build("t5", tokenizer)]
    first, other = (certificate_entry(LanguageModel(each, tokenizer), QUESTIONS) for each in models)
    member = LanguageModel(models[1], tokenizer, {"share": 0.25})
    both = certificate_entry(
        LanguageModel(models[0], tokenizer, {}, {"other": member}), QUESTIONS, 2.5
    )
    for name in ("parameters", "bytes"):
        assert both.facts[name] == first.facts[name] + other.facts[name]
    assert both.weight_bytes == (first.weight_bytes or 0) + (other.weight_bytes or 0)
    assert both.facts["perplexity"] == 2.5
    ids = torch.tensor([both.system.prompts[0]])
    expected = torch.zeros(())
    with torch.no_grad():
        for entry, share in ((first, 0.75), (other, 0.25)):
            logits, _ = entry.system.steps(1)(ids, torch.ones_like(ids), None)
            expected = expected + share * logits[:, -1].softmax(-1)
        said, _ = both.system.steps(1)(ids, torch.ones_like(ids), None)
    torch.testing.assert_close(said[:, -1].exp(), expected, rtol=1e-4, atol=1e-6)


def test_variant_with_other_weights_is_rejected(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = variants._MAKERS["torch_int8"]

    def broken(sources: Any) -> Any:
        other = copy.deepcopy(sources.model)
        with torch.no_grad():
            for weight in other.parameters():
                weight.mul_(3)
        return make(replace(sources, model=other))

    monkeypatch.setitem(variants._MAKERS, "torch_int8", broken)
    said, _ = _certify(tiny_model(tokenizer), tokenizer, "torch_int8")
    variant = said["variants"]["torch_int8"]
    assert variant["status"] == "rejected"
    assert variant["reason"].startswith("perplexity rises by")
    assert said["pareto"][2]["on_front"] == "no"


@pytest.mark.slow
def test_fastest_accepted_onnx_file_is_given(tokenizer: Any) -> None:
    names = ("torch_int8", "onnx", "onnx_int8")
    said, files = _certify(tiny_model(tokenizer), tokenizer, *names)
    made = said["variants"]
    assert [made[name]["status"] for name in names] == ["accepted"] * 3
    assert made["onnx"]["perplexity"] == pytest.approx(said["student"]["perplexity"], rel=1e-4)
    assert made["onnx"]["same_first_choice"] == 1
    fastest = min(names[1:], key=lambda name: made[name]["latency_p50_ms"])
    assert len(files["student.onnx"]) == made[fastest]["bytes"]
    assert json.loads(files["variants.json"])["files"] == {"student.onnx": fastest}


@pytest.mark.slow
def test_int8_may_be_asked_for_without_its_float32(tokenizer: Any) -> None:
    said, files = _certify(tiny_model(tokenizer), tokenizer, "onnx_int8")
    assert set(said["variants"]) == {"onnx_int8"}
    assert len(files["student.onnx"]) == said["variants"]["onnx_int8"]["bytes"]


@pytest.mark.parametrize(
    ("longest", "vocabulary", "rows"), [(160, 2000, 16), (160, 50257, 8), (4096, 50257, 1)]
)
def test_a_large_vocabulary_is_scored_in_smaller_batches(
    longest: int, vocabulary: int, rows: int
) -> None:
    assert variants.batch_size(longest, vocabulary) == rows


def test_without_the_extra_onnx_does_not_apply(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "NEEDS", ("no_such_package",))
    said, files = _certify(tiny_model(tokenizer), tokenizer, "onnx", "onnx_int8")
    told = {"status": "not applicable", "reason": "install kd_kedro[onnx]"}
    assert said["variants"] == {"onnx": told, "onnx_int8": told}
    assert json.loads(files["variants.json"]) == {"variants": said["variants"], "files": {}}
    assert list(files) == ["variants.json"]


def test_encoder_and_decoder_have_no_variants(tokenizer: Any) -> None:
    said, _ = _certify(build("t5", tokenizer), tokenizer, "torch_int8", "onnx")
    assert {each["status"] for each in said["variants"].values()} == {"not applicable"}
    assert said["student"]["latency_p50_ms"] > 0


def test_variant_that_fails_does_not_end_the_run(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(sources: Any) -> Any:
        raise RuntimeError("no operator in '/made/up/a.b/file.onnx' 1/2\nmore lines")

    monkeypatch.setitem(variants._MAKERS, "onnx", fails)
    said, _ = _certify(tiny_model(tokenizer), tokenizer, "onnx")
    assert said["variants"]["onnx"]["reason"] == (
        "could not be made: RuntimeError: no operator in 'file.onnx' 1/2"
    )
