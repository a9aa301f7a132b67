"""Hidden states in 8 bits are near those that were captured."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.training.teacher.hidden_states import from_8_bits, to_8_bits


def test_states_by_hand():
    rounded, scales = to_8_bits(torch.tensor([[254.0, -127.0, 1.1], [0.0, 0.0, 0.0]]))
    assert rounded.tolist() == [[127, -64, 1], [0, 0, 0]]  # -63.5 rounds to the even number
    assert scales.tolist() == [2.0, 0.0]
    assert from_8_bits(rounded, scales).tolist() == [[254.0, -128.0, 2.0], [0.0, 0.0, 0.0]]


@given(st.integers(0, 2**32 - 1), st.floats(-30, 30))
def test_no_channel_is_further_off_than_half_a_step(seed, exponent):
    generator = torch.Generator().manual_seed(seed)
    states = 10**exponent * torch.randn(5, 33, generator=generator)
    restored = from_8_bits(*to_8_bits(states))
    step = states.abs().amax(-1, keepdim=True) / 127
    assert ((restored - states).abs() <= 0.501 * step).all()
