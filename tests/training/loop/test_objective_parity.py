"""Every divergence, source and split against dense float64 arithmetic written out here."""

import math

import pytest
import torch

from kd_kedro.losses import chunked_head as head_loss_module
from kd_kedro.losses.divergences import DIVERGENCES
from kd_kedro.training.loop.objective import answer_loss
from kd_kedro.training.loop.training_config import ObjectiveConfig
from kd_kedro.training.teacher.signals import DenseSignal, SampledSignal, TopKSignal

TOKENS, WIDTH, SHARED, PADDED, K = 7, 6, 11, 13, 3
PLAIN = ["forward_kl", "reverse_kl", "jsd", "skewed_forward_kl", "skewed_reverse_kl"]


def case(dtype=torch.float64):
    generator = torch.Generator().manual_seed(4)
    hidden = torch.randn(TOKENS, WIDTH, generator=generator, dtype=torch.float64)
    head = torch.nn.Linear(WIDTH, PADDED, dtype=torch.float64)
    with torch.no_grad():
        for weight in head.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    teacher = torch.randn(TOKENS, SHARED, generator=generator, dtype=torch.float64) * 2
    labels = torch.randint(SHARED, (TOKENS,), generator=generator)
    return hidden.to(dtype).requires_grad_(), head.to(dtype), teacher.to(dtype), labels


def signals(teacher, temperature):
    scaled = (teacher / temperature).log_softmax(-1)
    top, ids = scaled.topk(K, -1)
    rest = scaled.exp().scatter(1, ids, 0.0).sum(-1, keepdim=True).log()
    yield "dense", DenseSignal(scaled, temperature)
    yield "top_k", TopKSignal(torch.cat([top, rest], -1), ids, SHARED, temperature)
    ids = torch.multinomial(scaled.exp(), 4)  # four different tokens with shares of 1/4, 1/4, 1/2
    shares = torch.tensor([0.25, 0.25, 0.5, 0.0], dtype=teacher.dtype).expand(TOKENS, 4)
    entropy = -(scaled.exp() * scaled).sum(-1)
    yield "sampled", SampledSignal(shares, ids, entropy, SHARED, temperature)


def events(signal, logits, temperature):
    """Teacher's and student's probabilities of the same events, by plain softmax and sums."""
    q = (logits[:, :SHARED] / temperature).softmax(-1)
    if isinstance(signal, DenseSignal):
        return signal.teacher.exp(), q
    top = q.gather(1, signal.ids)
    return signal.teacher.exp(), torch.cat([top, 1 - top.sum(-1, keepdim=True)], -1)


def by_hand(name, weight, p, q):
    def kl(a, b):
        return (a * (a / b).log()).sum(-1)

    return {
        "forward_kl": lambda: kl(p, q),
        "reverse_kl": lambda: kl(q, p),
        "jsd": lambda: (
            weight * kl(p, weight * p + (1 - weight) * q)
            + (1 - weight) * kl(q, weight * p + (1 - weight) * q)
        ),
        "skewed_forward_kl": lambda: kl(p, weight * p + (1 - weight) * q),
        "skewed_reverse_kl": lambda: kl(q, weight * q + (1 - weight) * p),
    }[name.removeprefix("bucketed_")]()


def gradients(total, *tensors):
    return torch.autograd.grad(total, tensors)


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 4.0])
@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("source", ["dense", "top_k"])
def test_loss_and_gradients_are_those_of_the_written_out_formula(
    source, name, temperature, chunk, monkeypatch
):
    monkeypatch.setattr(head_loss_module, "CHUNK_VALUES", chunk * PADDED)
    hidden, head, teacher, labels = case()
    signal = dict(signals(teacher, temperature))[source]
    goal = ObjectiveConfig(
        alpha=0.3,
        beta=0.7,
        divergence=("bucketed_" if source == "top_k" else "") + name,
        interpolation=0.2,
        temperature=temperature,
    )
    loss = answer_loss(goal, hidden, head, labels, signal)
    logits = head(hidden)
    cross_entropy = -logits.log_softmax(-1).gather(1, labels[:, None]).sum()
    divergence = by_hand(name, 0.2, *events(signal, logits, temperature)).sum()
    expected = 0.3 * cross_entropy + 0.7 * temperature**2 * divergence
    weights = (hidden, head.weight, head.bias)
    torch.testing.assert_close(loss.total, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        gradients(loss.total, *weights), gradients(expected, *weights), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_sampled_estimate_by_hand(temperature):
    hidden, head, teacher, labels = case()
    signal = dict(signals(teacher, temperature))["sampled"]
    goal = ObjectiveConfig(
        alpha=0.0,
        beta=1.0,
        divergence="forward_kl",
        temperature=temperature,
        temperature_squared=False,
    )
    loss = answer_loss(goal, hidden, head, labels, signal)
    q = (head(hidden)[:, :SHARED] / temperature).log_softmax(-1)
    expected = (-signal.entropy - (signal.shares * q.gather(1, signal.ids)).sum(-1)).sum()
    weights = (hidden, head.weight)
    torch.testing.assert_close(loss.total, expected)
    torch.testing.assert_close(gradients(loss.total, *weights), gradients(expected, *weights))


@pytest.mark.parametrize("name", PLAIN)
def test_float32_is_near_and_bfloat16_not_far(name):
    goal = ObjectiveConfig(alpha=0.3, beta=0.7, divergence=name, interpolation=0.2, temperature=2.0)
    grads = {}
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        hidden, head, teacher, labels = case(dtype)
        wide = teacher.to(torch.promote_types(dtype, torch.float32))
        signal = dict(signals(wide, 2.0))["dense"]
        loss = answer_loss(goal, hidden, head, labels, signal)
        assert loss.total.dtype == torch.promote_types(dtype, torch.float32)
        grads[dtype] = [g.double() for g in gradients(loss.total, hidden, head.weight)]
    torch.testing.assert_close(grads[torch.float32], grads[torch.float64], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(grads[torch.bfloat16], grads[torch.float64], rtol=0.1, atol=0.1)


@pytest.mark.parametrize("name", ["jsd", "skewed_forward_kl", "skewed_reverse_kl"])
def test_mixture_weights_at_the_ends_are_the_pure_divergences(name):
    p, q = (torch.randn(5, 9, dtype=torch.float64).log_softmax(-1) for _ in range(2))
    pure = {"skewed_reverse_kl": "reverse_kl"}.get(name, "forward_kl")
    torch.testing.assert_close(DIVERGENCES[name](p, q, 0.0), DIVERGENCES[pure](p, q, 0.0))
    if name == "jsd":
        torch.testing.assert_close(DIVERGENCES[name](p, q, 1.0), DIVERGENCES["reverse_kl"](p, q, 0))
        # Near the ends it is the pure divergence, scaled down.
        near = DIVERGENCES[name](p, q, 1e-6) / 1e-6
        torch.testing.assert_close(near, DIVERGENCES["forward_kl"](p, q, 0), rtol=1e-3, atol=1e-3)


def test_the_mixture_survives_probabilities_that_are_no_float32_numbers():
    p = torch.tensor([[0.0, -200.0]]).log_softmax(-1)
    q = torch.tensor([[-200.0, 0.0]]).log_softmax(-1)
    for name in ("jsd", "skewed_forward_kl", "skewed_reverse_kl"):
        value = DIVERGENCES[name](p, q, 0.5).item()
        assert value == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize("distance", ["mse", "cosine"])
def test_hidden_states_are_matched_through_the_projection(distance):
    hidden, head, teacher, labels = case()
    wanted = torch.randn(TOKENS, 4, dtype=torch.float64)
    projection = torch.nn.Linear(WIDTH, 4, bias=False, dtype=torch.float64)
    signal = DenseSignal(teacher.log_softmax(-1), 1.0, wanted)
    goal = ObjectiveConfig(alpha=0.5, beta=0.5, hidden_state_weight=0.3, hidden_state_loss=distance)
    loss = answer_loss(goal, hidden, head, labels, signal, projection)
    plain = answer_loss(ObjectiveConfig(alpha=0.5, beta=0.5), hidden, head, labels, signal).total
    seen = projection(hidden)
    if distance == "mse":
        expected = ((seen - wanted) ** 2).mean(-1).sum()
    else:
        lengths = seen.norm(dim=-1) * wanted.norm(dim=-1)
        expected = (1 - (seen * wanted).sum(-1) / lengths).sum()
    torch.testing.assert_close(loss.hidden, expected.detach())
    torch.testing.assert_close(loss.total, plain + 0.3 * expected)
    weights = (hidden, projection.weight)
    found = gradients(loss.total, *weights)
    reference = torch.autograd.grad(plain + 0.3 * expected, weights)
    torch.testing.assert_close(found, reference)


def test_a_vocabulary_padded_for_a_gpu_changes_nothing(monkeypatch):
    monkeypatch.setattr(head_loss_module, "CHUNK_VALUES", 2 * PADDED)
    hidden, head, _, labels = case()
    weights = (hidden, head.weight, head.bias)
    plain = head_loss_module.head_logits(head, hidden)
    loss = answer_loss(ObjectiveConfig(), hidden, head, labels, None).total
    expected = loss, gradients(loss, *weights)
    monkeypatch.setitem(head_loss_module.MULTIPLES, "cpu", 8)
    assert head_loss_module.aligned(head.weight).shape == (16, WIDTH)
    torch.testing.assert_close(head_loss_module.head_logits(head, hidden), plain)
    loss = answer_loss(ObjectiveConfig(), hidden, head, labels, None).total
    torch.testing.assert_close((loss, gradients(loss, *weights)), expected)


def test_nothing_as_large_as_tokens_times_vocabulary_is_kept(monkeypatch):
    monkeypatch.setattr(head_loss_module, "CHUNK_VALUES", 2**16)
    kept = []

    def keep(tensor):
        kept.append(tensor.numel())
        return tensor

    hidden = torch.randn(512, 8, requires_grad=True)
    head = torch.nn.Linear(8, 4096, bias=False)
    labels = torch.randint(4096, (512,))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = answer_loss(ObjectiveConfig(), hidden, head, labels, None)
    loss.total.backward()
    assert max(kept) <= 2**16 < 512 * 4096
