"""Loss and gradients against values worked out by hand and a dense float64 reference."""

import math

import pytest
import torch

from kd_kedro.losses.divergences import forward_kl, reverse_kl
from kd_kedro.losses.event_log_probs import event_log_probs
from kd_kedro.training.loop.objective import answer_loss as loss_of_states
from kd_kedro.training.loop.training_config import ObjectiveConfig
from kd_kedro.training.teacher.signals import DenseSignal, TopKSignal

LABELS = torch.tensor([0, 2])


def random_logits(tokens=2, vocabulary=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tokens, vocabulary, generator=generator)


def answer_loss(objective, logits, labels, signal):
    """The loss of given logits: a head that hands on what it is given."""
    head = torch.nn.Linear(logits.shape[-1], logits.shape[-1], bias=False, dtype=logits.dtype)
    torch.nn.init.eye_(head.weight)
    return loss_of_states(objective, logits, head, labels, signal)


def student_of(signal, logits):
    """The student's log probabilities of a top-k signal's events."""
    shared = logits[:, : signal.vocabulary] / signal.temperature
    return event_log_probs(shared, signal.ids, signal.ids.shape[-1])


def dense(logits, temperature=1.0):
    return DenseSignal((logits / temperature).log_softmax(-1), temperature)


def top_k(logits, k, temperature=1.0):
    log_probs = (logits / temperature).log_softmax(-1)
    top, ids = log_probs.topk(k, -1)
    tail = log_probs.scatter(1, ids, float("-inf")).logsumexp(-1, keepdim=True)
    return TopKSignal(torch.cat([top, tail], -1), ids, logits.shape[-1], temperature)


def test_cross_entropy_and_divergence_by_hand():
    # Student (1/4, 3/4), teacher (1/2, 1/2), label 0.
    student = torch.tensor([[0.25, 0.75]]).log()
    loss = answer_loss(
        ObjectiveConfig(alpha=0.3, beta=0.7),
        student,
        torch.tensor([0]),
        dense(torch.tensor([[0.5, 0.5]]).log()),
    )
    kl = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert loss.cross_entropy.item() == pytest.approx(math.log(4), rel=1e-6)
    assert loss.divergence.item() == pytest.approx(kl, rel=1e-6)
    assert loss.total.item() == pytest.approx(0.3 * math.log(4) + 0.7 * kl, rel=1e-6)


def test_reverse_is_the_divergence_the_other_way_round():
    p, q = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log()
    expected = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert reverse_kl(p, q).item() == pytest.approx(expected, rel=1e-6)
    assert forward_kl(q, p).item() == pytest.approx(expected, rel=1e-6)


def test_the_sum_runs_over_the_vocabulary_and_the_tokens():
    # kl_div(reduction="mean") would divide by 2 tokens x 5 ids here.
    student, teacher = random_logits(seed=1), random_logits(seed=2)
    loss = answer_loss(ObjectiveConfig(alpha=0, beta=1), student, LABELS, dense(teacher))
    p, q = teacher.double().softmax(-1), student.double().softmax(-1)
    assert loss.total.item() == pytest.approx((p * (p / q).log()).sum().item(), rel=1e-5)


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 4.0])
def test_gradient_against_a_dense_float64_reference(temperature, squared):
    student, teacher = random_logits(seed=1).requires_grad_(), random_logits(seed=2)
    goal = ObjectiveConfig(
        alpha=0.466, beta=0.208, temperature=temperature, temperature_squared=squared
    )
    answer_loss(goal, student, LABELS, dense(teacher, temperature)).total.backward()
    # d CE = q - onehot; d KL = (q_T - p_T) / T, once more times T^2 where it is squared.
    q = student.detach().double().softmax(-1)
    onehot = torch.nn.functional.one_hot(LABELS, 5)
    q_t = (student.detach().double() / temperature).softmax(-1)
    p_t = (teacher.double() / temperature).softmax(-1)
    scale = temperature if squared else 1 / temperature
    expected = 0.466 * (q - onehot) + 0.208 * scale * (q_t - p_t)
    torch.testing.assert_close(student.grad.double(), expected, rtol=1e-5, atol=1e-6)


def test_the_weight_of_document_000_with_and_without_the_squared_temperature():
    student, teacher = random_logits(seed=1), random_logits(seed=2)
    without = ObjectiveConfig(alpha=0.466, beta=0.208, temperature=0.7, temperature_squared=False)
    beta = 0.208 / 0.7**2
    assert beta == pytest.approx(0.4245, abs=5e-5)
    with_it = ObjectiveConfig(alpha=0.466, beta=beta, temperature=0.7, temperature_squared=True)
    signal = dense(teacher, 0.7)
    totals = [answer_loss(goal, student, LABELS, signal).total for goal in (without, with_it)]
    torch.testing.assert_close(*totals)


def test_squared_temperature_keeps_the_gradients_size():
    sizes = []
    for temperature in (4.0, 40.0):
        student = random_logits(seed=1).requires_grad_()
        signal = dense(random_logits(seed=2), temperature)
        goal = ObjectiveConfig(alpha=0, beta=1, temperature=temperature)
        answer_loss(goal, student, LABELS, signal).total.backward()
        sizes.append(student.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.2)


def test_a_padded_vocabulary_is_cut_before_the_softmax():
    student, teacher = random_logits(vocabulary=8, seed=1), random_logits(vocabulary=5, seed=2)
    p, q = teacher.log_softmax(-1), student[:, :5].log_softmax(-1)
    divergence = dense(teacher).divergence("forward_kl", 0.0, student)
    torch.testing.assert_close(divergence, forward_kl(p, q))
    # Cutting after the softmax, or padding the teacher with zeros, is another number.
    assert not torch.allclose(divergence, forward_kl(p, student.log_softmax(-1)[:, :5]))
    cut = student_of(top_k(teacher, 2), student).exp().sum(-1)
    torch.testing.assert_close(cut, torch.ones(2))


def test_the_tail_is_one_bucket_against_a_float64_reference():
    student, teacher = random_logits(seed=1).requires_grad_(), random_logits(seed=2)
    goal = ObjectiveConfig(alpha=0, beta=1, divergence="bucketed_forward_kl")
    answer_loss(goal, student, LABELS, top_k(teacher, 2)).total.backward()
    reference = student.detach().double().requires_grad_()
    p, q = teacher.double().softmax(-1), reference.softmax(-1)
    order = p.topk(2, -1).indices
    top_p, top_q = p.gather(1, order), q.gather(1, order)
    tail_p, tail_q = 1 - top_p.sum(-1), 1 - top_q.sum(-1)
    total = (top_p * (top_p / top_q).log()).sum() + (tail_p * (tail_p / tail_q).log()).sum()
    total.backward()
    torch.testing.assert_close(student.grad.double(), reference.grad, rtol=1e-5, atol=1e-6)


def test_without_its_tail_a_top_k_would_not_see_the_tail_at_all():
    teacher = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    student = teacher + torch.tensor([[0.0, 0.0, 3.0, 3.0]])  # same ratio on top, wrong tail
    signal = top_k(teacher, 2)
    renormalised = forward_kl(teacher[:, :2].log_softmax(-1), student[:, :2].log_softmax(-1))
    assert renormalised.item() == pytest.approx(0, abs=1e-7)
    assert forward_kl(signal.teacher, student_of(signal, student)).item() > 0.5


def test_a_small_tail_is_not_lost_to_rounding():
    # 1 - sum of the top in float32 is 0 here and its logarithm -inf.
    student = torch.tensor([[40.0, 0.0, 0.0]])
    signal = top_k(torch.tensor([[1.0, 0.0, 0.0]]), 1)
    tail = student_of(signal, student)[0, -1].item()
    assert tail == pytest.approx(math.log(2) - 40.0, rel=1e-6)


def test_the_bucketed_divergence_bounds_the_full_one_from_below():
    student, teacher = random_logits(seed=3, vocabulary=50), random_logits(seed=4, vocabulary=50)
    full = forward_kl(teacher.log_softmax(-1), student.log_softmax(-1))
    values = [
        forward_kl(top_k(teacher, k).teacher, student_of(top_k(teacher, k), student))
        for k in (2, 10, 49)
    ]
    assert (values[0] <= values[1]).all()
    assert (values[1] <= values[2]).all()
    torch.testing.assert_close(values[2], full)  # a bucket of one token is that token


def test_bfloat16_logits_are_raised_before_the_softmax():
    student = random_logits(seed=1).bfloat16()
    loss = answer_loss(
        ObjectiveConfig(alpha=0.5, beta=0.5), student, LABELS, dense(random_logits(seed=2))
    )
    assert loss.total.dtype == torch.float32
    wide = answer_loss(
        ObjectiveConfig(alpha=0.5, beta=0.5), student.float(), LABELS, dense(random_logits(seed=2))
    )
    torch.testing.assert_close(loss.total, wide.total)


def test_weights_of_nought_are_the_pure_parts():
    student, signal = random_logits(seed=1), dense(random_logits(seed=2))
    plain = answer_loss(ObjectiveConfig(alpha=1, beta=0), student, LABELS, signal)
    assert plain.total.item() == pytest.approx(plain.cross_entropy.item())
    pure = answer_loss(ObjectiveConfig(alpha=0, beta=1), student, LABELS, signal)
    assert pure.total.item() == pytest.approx(pure.divergence.item())


class Source:
    serves = frozenset({"bucketed_forward_kl"})
    temperatures = (1.0,)
    hidden_width = None


@pytest.mark.parametrize("divergence", ["forward_kl", "reverse_kl"])
def test_a_source_refuses_what_it_cannot_give_exactly(divergence):
    with pytest.raises(ValueError, match=f"cannot give '{divergence}' exactly; use bucketed"):
        ObjectiveConfig(alpha=0.5, beta=0.5, divergence=divergence).check(Source())


def test_a_teacher_is_needed_only_where_it_counts():
    ObjectiveConfig(alpha=1, beta=0).check(None)
    with pytest.raises(ValueError, match="there are no teacher targets"):
        ObjectiveConfig(alpha=1, beta=0.1).check(None)
