"""Quantised and exported models against the model they are made from."""

from pathlib import Path

import pytest
import torch

from kd_kedro.inference.incremental import largest_logit_difference, model_steps, score_with
from kd_kedro.inference.onnx_export import export_onnx, int8_onnx, onnx_obstacle, onnx_steps
from kd_kedro.inference.scoring import score_together
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import encode, pad_token_id
from kd_kedro.models.quantisation import float_copy, int8_copy, stored_tensors
from tests.training.architectures import build
from tests.training.tiny import ANSWERS, QUESTIONS, tiny_model

ROWS = [[5, 6], [7, 8, 9, 10, 11], list(range(20, 60))]


def test_linear_layers_compute_what_conv1d_did(tokenizer) -> None:
    model = tiny_model(tokenizer)
    plain = float_copy(model)
    assert not any(type(module).__name__ == "Conv1D" for module in plain.modules())
    ids = torch.tensor([ROWS[1]])
    with torch.inference_mode():
        torch.testing.assert_close(plain(ids).logits, model(ids).logits, rtol=1e-6, atol=1e-6)


def test_int8_reaches_every_linear_layer_and_the_head(tokenizer) -> None:
    model = tiny_model(tokenizer)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    scale = ".weight_scale"
    stored = stored_tensors(int8_copy(model))
    layers = [name.removesuffix(scale) for name in stored if name.endswith(scale)]
    assert len(layers) == 9  # four of each block and the head
    assert "lm_head" in layers
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_int8_is_stored_in_a_quarter_of_the_linear_weights(tokenizer) -> None:
    tensors = stored_tensors(int8_copy(tiny_model(tokenizer)))
    assert tensors["lm_head.weight"].dtype == torch.int8
    assert tensors["transformer.wte.weight"].dtype == torch.float32
    assert tensors["transformer.h.0.mlp.c_fc.weight"].nbytes == 16 * 64


def test_steps_score_as_the_model_does(tokenizer) -> None:
    model = tiny_model(tokenizer)
    language_model = LanguageModel(model, tokenizer)
    (asked,) = score_together([language_model], QUESTIONS, ANSWERS, batch_size=4)
    names = [str(number) for number in range(len(QUESTIONS))]
    examples = encode(tokenizer, names, QUESTIONS, ANSWERS, language_model.max_length)
    stepped = score_with(
        model_steps(model), examples, padding=pad_token_id(tokenizer), batch_size=4, name="scores"
    )
    for one, other in zip(asked, stepped, strict=True):
        assert one["nll"] == pytest.approx(other["nll"], rel=1e-5)
        assert len(other["top1"]) == one["answer_tokens"] == other["answer_tokens"]


@pytest.mark.slow
def test_onnx_computes_the_same_logits_with_its_cache(tokenizer, tmp_path: Path) -> None:
    model = tiny_model(tokenizer)
    graph = export_onnx(model)
    steps = onnx_steps(graph, 1)
    assert largest_logit_difference(model_steps(model), steps, ROWS) < 1e-5
    ids = torch.tensor([[0, 0, 5], [6, 7, 8], [0, 9, 10]])  # a batch, padded on the left
    mask = torch.tensor([[0, 0, 1], [1, 1, 1], [0, 1, 1]])
    with torch.inference_mode():
        ours, _ = model_steps(model)(ids, mask, None)
    torch.testing.assert_close(steps(ids, mask, None)[0][mask > 0], ours[mask > 0])
    assert b"site-packages" not in graph  # no paths of the machine that made it
    small = int8_onnx(graph, tmp_path)
    assert 1e-5 < largest_logit_difference(model_steps(model), onnx_steps(small, 1), ROWS) < 0.2
    import onnx

    kinds = [node.op_type for node in onnx.load_from_string(small).graph.node]
    assert kinds.count("MatMulInteger") == 9  # every linear layer and the head


def test_a_timed_step_has_the_last_logits_alone_and_the_same(tokenizer) -> None:
    model = build("gpt2", tokenizer)
    ids = torch.tensor([[5, 6, 7, 8]])
    mask = torch.ones_like(ids)
    with torch.inference_mode():
        whole, _ = model_steps(model)(ids, mask, None)
        last, _ = model_steps(model, last_only=True)(ids, mask, None)
    assert last.shape[1] == 1
    assert torch.allclose(last[:, -1], whole[:, -1])


@pytest.mark.parametrize("kind", ["t5", "encoder_decoder"])
def test_encoder_and_decoder_answer_in_steps(tokenizer, kind: str) -> None:
    model = build(kind, tokenizer)
    ids, mask = torch.tensor([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.long)
    steps, cache, answer = model_steps(model), None, []
    given = (ids, mask)
    with torch.inference_mode():
        for _ in range(4):
            logits, cache = steps(*given, cache)
            given = (logits[:, -1:].argmax(-1), mask)
            answer.append(int(given[0]))
        written = model.generate(
            ids, attention_mask=mask, max_new_tokens=4, eos_token_id=-1, do_sample=False
        )
    assert onnx_obstacle(model) is not None
    assert written[0, 1:].tolist() == answer
