"""Several processes: the same result as one, over whatever path the targets reach them."""

import pytest
import torch

from kd_kedro.training.objective import Objective
from kd_kedro.training.sampling import LengthGroupedSampler, RankBatches
from kd_kedro.training.targets import LiveTeacher
from tests.training.test_trainer import fit
from tests.training.tiny import tiny_model

# Six rows in batches of five: the last one has a single row, and the second process none.
BUDGET = {"batch_size": 5, "accumulation": 2, "max_steps": 20, "learning_rate": 1e-3}


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def test_two_processes_end_with_the_weights_of_one(tokenizer, examples, tmp_path):
    goal = Objective(0.5, 0.5, temperature=2.0, hidden=0.3)
    ended = []
    for number in (1, 2):
        teacher = LiveTeacher(tiny_model(tokenizer, seed=9).double(), len(tokenizer), "live")
        model = tiny_model(tokenizer).double()
        history = fit(
            model,
            examples,
            tmp_path,
            objective=goal,
            targets=teacher,
            num_processes=number,
            **BUDGET,
        )
        ended.append((weights(model), history))
    (one, alone), (two, shared) = ended
    assert (one - weights(tiny_model(tokenizer).double())).abs().max() > 1e-3
    assert (one - two).abs().max() < 1e-9
    assert [list(record) for record in alone] == [list(record) for record in shared]
    for record, other in zip(alone, shared, strict=True):
        assert record == pytest.approx(other, rel=1e-5)
    assert list(tmp_path.iterdir()) == []


def test_every_batch_is_dealt_out_whole_and_all_ranks_stay_in_step():
    order = LengthGroupedSampler([(7 * n) % 50 + 1 for n in range(23)], 5, seed=1)
    whole = list(RankBatches(order, 5))
    shares = [list(RankBatches(order, 5, rank, 3)) for rank in range(3)]
    assert [len(share) for share in shares] == [len(whole)] * 3 == [len(RankBatches(order, 5))] * 3
    for batch, *parts in zip(whole, *shares, strict=True):
        assert sorted(batch) == sorted(row for part in parts for row in part)
    assert [len(share[-1]) for share in shares] == [1, 1, 1]
    first = [next(iter(RankBatches(order, 5, rank, 8))) for rank in range(8)]
    assert [len(share) for share in first] == [1] * 5 + [0] * 3
