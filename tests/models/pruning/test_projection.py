"""Principal components of hidden states."""

import pytest
import torch

from kd_kedro.models.pruning.architectures import norms_read
from kd_kedro.models.pruning.projection import components, project
from tests.models.pruning.test_prune import build


@pytest.mark.parametrize("centred", [False, True])
def test_components_of_most_energy_are_kept(centred):
    """Energy lies along three directions that sum to zero, the least along the last."""
    axes = torch.tensor([[1.0, -1, 0, 0, 0], [0, 0, 1, -1, 0], [1, 1, 1, 1, -4]]).double()
    axes = axes / axes.norm(dim=1, keepdim=True)
    moments = axes.T @ torch.diag(torch.tensor([5.0, 3.0, 1.0]).double()) @ axes
    made = components(moments, 2 + centred, centred)
    torch.testing.assert_close(made @ made.T, axes[:2].T @ axes[:2])
    if centred:
        torch.testing.assert_close(made.sum(1), torch.zeros(5).double())
        return
    torch.testing.assert_close(made.T @ made, torch.eye(2).double())
    assert torch.equal(made.abs().amax(0), made.amax(0))


def test_the_sum_of_channels_is_never_a_component_of_centred_states():
    """Not even where the states have fewer dimensions than there are components."""
    state = torch.tensor([1.0, -1, 0, 0, 0, 0]).double()
    made = components(torch.outer(state, state), 4, centred=True)
    torch.testing.assert_close(made.sum(0), torch.zeros(4).double())
    torch.testing.assert_close(made.sum(1), torch.zeros(6).double())


def test_components_are_turned_until_a_diagonal_is_one_again():
    moments = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)).double()
    moments = moments @ moments.T
    diagonal = torch.tensor([1.0, 2, 4, 8, 16, 32]).double()
    plain, turned = components(moments, 3, False), components(moments, 3, False, diagonal)
    torch.testing.assert_close(turned @ turned.T, plain @ plain.T)
    inside = turned.T @ torch.diag(diagonal) @ turned
    torch.testing.assert_close(inside, torch.diag(inside.diagonal()))


def test_weights_that_read_a_norm_get_the_least_squares_of_what_they_read(tokenizer):
    """What they say of states and what they say of their components differ by what these lack."""
    model = build("llama", tokenizer, tied=False)
    drawn = torch.Generator().manual_seed(0)
    mix = torch.randn(16, 16, generator=drawn).double()
    states = {
        norm: torch.nn.functional.normalize(
            torch.randn(50, 16, generator=drawn).double() @ mix * (1 + number), dim=1
        )
        for number, norm in enumerate(sorted(set(norms_read(model).values())))
    }
    made = project(model, 10, {norm: given.T @ given for norm, given in states.items()})
    given = model.state_dict()
    embedding = "model.embed_tokens.weight"
    narrow = torch.linalg.lstsq(given[embedding], made[embedding]).solution
    torch.testing.assert_close(narrow.T @ narrow, torch.eye(10).double())
    for name, norm in norms_read(model).items():
        inside = states[norm] @ narrow
        share = inside.square().sum() / 50
        said = states[norm] * given[f"{norm}.weight"] @ given[name].T
        found = inside @ made[name].T / torch.sqrt(share * 16 / 10)
        expected = inside.T @ said
        assert (inside.T @ found - expected).norm() < 1e-3 * expected.norm()
        assert torch.equal(made[f"{norm}.weight"], torch.ones(10))
