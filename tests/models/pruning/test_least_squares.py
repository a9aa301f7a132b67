"""What the channels that stay tell of those that are gone."""

import pytest
import torch

from kd_kedro.models.pruning.least_squares import told_by, without


def test_a_hand_computed_prediction():
    """States (1, 2), (2, 2): the second is 6/5 of the first in the mean square."""
    told = told_by(torch.tensor([[5.0]]), torch.tensor([[6.0]]))
    assert told.dtype == torch.float64
    assert told.item() == pytest.approx(1.2, rel=2e-4)


def test_channels_that_are_always_zero_tell_nothing_and_change_nothing():
    zero = torch.zeros(2, 2)
    assert torch.equal(told_by(zero, zero), zero.double())


@pytest.mark.parametrize("dimension", [0, 1])
def test_a_weight_takes_over_what_is_gone(dimension):
    """Inputs (a, b, a - 2 b, 0): without the third its row goes to a and, doubled, off b."""
    states = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, -2.0, 0.0]])
    weight = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
    given = weight if dimension == 0 else weight.T
    made = without(given, dimension, torch.tensor([0, 1, 3]), states.T @ states)
    assert made.dtype == torch.float32
    expected = torch.tensor([[4.0, 40.0], [-4.0, -40.0], [4.0, 40.0]])
    torch.testing.assert_close(made if dimension == 0 else made.T, expected, rtol=1e-3, atol=0)


def test_where_nothing_goes_a_weight_stays_exactly_as_it_is():
    weight, states = torch.randn(3, 5), torch.randn(7, 3)
    assert torch.equal(without(weight, 0, torch.arange(3), states.T @ states), weight)
