"""What is measured of a model on calibration rows."""

import pytest
import torch

from kd_kedro.models.pruning import importance
from kd_kedro.models.pruning.architectures import HEADS, NEURONS, Axis
from kd_kedro.models.pruning.importance import measure
from tests.models.pruning.test_prune import CHANNELS, build


@pytest.mark.parametrize("large", [4096, 20])
def test_what_output_projections_and_norms_are_given(large, tokenizer, examples, monkeypatch):
    """Second moments of more channels than are large are float32, and else the same."""
    monkeypatch.setattr(importance, "_LARGE", large)
    model, rows = build("gpt2", tokenizer), examples[:2]
    seen = {}
    layer = model.transformer.h[1]
    for name in ("attn.c_proj", "mlp.c_proj", "ln_2"):
        states = seen.setdefault(name, [])
        layer.get_submodule(name).register_forward_pre_hook(
            lambda _, given, states=states: states.append(given[0][0].clone())
        )
    found = measure(model, rows, CHANNELS, tokenizer.pad_token_id)
    heads, neurons, states = (torch.cat(each).detach() for each in seen.values())
    name = "transformer.h.1."
    moments = found.inputs[f"{name}mlp.c_proj.weight"]
    assert moments.dtype == (torch.float64 if large > 24 else torch.float32)
    torch.testing.assert_close(moments.double(), neurons.T @ neurons, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.inputs[f"{name}attn.c_proj.weight"], heads.T @ heads)
    torch.testing.assert_close(found.units[Axis(NEURONS, f"{name}mlp")], neurons.abs().sum(0))
    lengths = heads.reshape(len(heads), 4, CHANNELS).norm(dim=-1)
    torch.testing.assert_close(found.units[Axis(HEADS, f"{name}attn")], lengths.sum(0))
    states = torch.nn.functional.normalize(states - states.mean(1, keepdim=True), dim=1)
    torch.testing.assert_close(found.states[f"{name}ln_2"], states.T @ states)
