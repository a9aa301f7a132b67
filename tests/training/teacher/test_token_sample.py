"""The sample of a shard: unbiased, as large as its budget, and read back for any rows."""

import pytest
import torch

from kd_kedro.training.teacher.token_sample import (
    POINTS,
    IdCode,
    SampledShard,
    TokenSample,
    read_rows,
)

ROWS = torch.tensor([0, 3, 4, 9, 12])


def distributions(positions, vocabulary, scale=2.0, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(positions, vocabulary, generator=generator) * scale).log_softmax(-1)


def stored(log_probs, budget, offsets, code, seed=0, chunks=1):
    generator = torch.Generator().manual_seed(seed)
    sample = TokenSample(len(log_probs))
    for part in log_probs.chunk(chunks):
        sample.add(part, generator)
    return sample.encode(offsets, code, budget, generator) | {"offsets": offsets.int()}


def size(tensors):
    parts = [each for name, each in tensors.items() if name != "offsets"]
    return sum(each.numel() * each.element_size() for each in parts)


def shares_of(tensors, code, vocabulary, rows=None):
    shard = SampledShard(tensors, code)
    rows = range(len(tensors["offsets"]) - 1) if rows is None else rows
    shares, ids, entropy = read_rows([(shard, row, row + 1) for row in rows], code)
    dense = torch.zeros(len(shares), vocabulary).scatter_add_(1, ids, shares)
    return dense, entropy


def test_the_code_of_ids_by_hand():
    # 32 bytes are 256 bits. With 6 low bits 2,000 ids make 32 steps: (256 - 32) / 10 = 22.4
    # entries; with 7 they make 16: 240 / 11 = 21.8, with 5 they make 63: 193 / 9 = 21.4.
    assert IdCode.best(2_000, 32) == IdCode(low=6, steps=32)
    assert IdCode.best(2_000, 8) == IdCode(low=8, steps=8)
    assert IdCode.best(2, 32).steps == 1 + (1 >> IdCode.best(2, 32).low)


def test_entries_and_bytes_by_hand():
    # Nothing here is below 1 / 128: all is kept.
    probabilities = torch.tensor([[0.5, 0.0, 0.25, 0.25], [0.0, 1.0, 0.0, 0.0]])
    code = IdCode(low=1, steps=2)
    tensors = stored(probabilities.log(), 1000, torch.tensor([0, 2]), code)
    # Four entries, all likely: ids 0, 2, 3 and 1 are steps 0, 1, 1 and 0, low bits 0, 0, 1 and 1.
    # Ones come before the zero of their step: 10 110 and 10 0, written from the right.
    assert tensors["likely"].tolist() == [0b1111]
    assert tensors["low"].tolist() == [0b1100]
    assert tensors["high"].tolist() == [0b00101101]
    assert tensors["masses"].tolist()[-1] == 255
    assert set(tensors["masses"].tolist()[:3]) <= {127, 128, 63, 64}
    assert tensors["threshold"].tolist() == [1 / POINTS]
    assert tensors["entries"].tolist() == tensors["likely_entries"].tolist() == [0, 4]
    # 0.5 log 2 + 0.5 log 4, and nothing of the position that is certain.
    torch.testing.assert_close(tensors["entropy"], torch.tensor([1.0397]), rtol=0, atol=1e-4)
    dense, entropy = shares_of(tensors, code, 4)
    torch.testing.assert_close(dense, probabilities, rtol=0, atol=1 / 255)
    torch.testing.assert_close(entropy, torch.tensor([0.5199, 0.5199]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("bytes_per_token", [4, 8, 20])
def test_shares_and_entropy_are_exact_in_the_mean(bytes_per_token):
    log_probs, repeats = distributions(12, 50), 4000
    code = IdCode.best(50, bytes_per_token)
    offsets = torch.arange(12 * repeats + 1)
    tensors = stored(log_probs.repeat(repeats, 1), bytes_per_token * len(offsets), offsets, code)
    dense, entropy = shares_of(tensors, code, 50)
    probabilities = log_probs.exp()
    kept = dense.view(repeats, 12, 50)
    # A token is drawn with a chance of p / t and counts t: its variance is p t at most. A likely
    # one is only rounded, which is seen at once.
    chance = (probabilities * tensors["threshold"] / repeats).sqrt()
    error = torch.where(probabilities > tensors["threshold"], kept.std(0) / repeats**0.5, chance)
    assert ((kept.mean(0) - probabilities).abs() < 5 * error + 1e-6).all()
    assert (kept.std(0) > 0).any()
    entropies = entropy.view(repeats, 12)
    exact = -(probabilities * log_probs).sum(-1)
    assert ((entropies.mean(0) - exact).abs() < 5 * entropies.std(0) / repeats**0.5 + 1e-6).all()


def test_the_budget_is_spent_where_the_teacher_is_uncertain():
    flat, sharp = distributions(200, 500, scale=1.0), distributions(200, 500, scale=12.0)
    offsets = torch.arange(0, 401, 40)
    for bytes_per_token in (8, 16, 32):
        code = IdCode.best(500, bytes_per_token)
        tensors = stored(torch.cat([flat, sharp]), bytes_per_token * 400, offsets, code, chunks=3)
        assert size(tensors) == pytest.approx(bytes_per_token * 400, rel=0.01)
        entries = tensors["entries"][[0, 5, 10]].diff().tolist()
        assert entries[0] > 3 * entries[1]
    # Who is certain needs no more: at most a sample is kept that is as fine as the first one.
    tensors = stored(sharp, 200 * 256, offsets[:6], IdCode.best(500, 256))
    assert size(tensors) < 200 * 128
    assert tensors["threshold"].tolist() == [1 / POINTS]


def test_a_budget_for_nothing_leaves_about_one_entry_a_position():
    log_probs = distributions(200, 500, scale=1.0)
    tensors = stored(log_probs, 0, torch.tensor([0, 200]), IdCode.best(500, 4))
    assert int(tensors["entries"][-1]) == pytest.approx(200, abs=2)
    dense, _ = shares_of(tensors, IdCode.best(500, 4), 500)
    torch.testing.assert_close(dense.sum(), torch.tensor(200.0), rtol=0.01, atol=0)


def test_rows_of_several_shards_come_in_any_order():
    code = IdCode.best(70, 16)
    shards = [
        SampledShard(stored(distributions(12, 70, seed=seed), 12 * 16, ROWS, code, seed), code)
        for seed in (1, 2)
    ]
    alone = {
        (shard, row): read_rows([(shards[shard], row, row + 1)], code)
        for shard in (0, 1)
        for row in range(4)
    }
    asked = [(1, 3), (0, 0), (0, 2), (1, 0), (1, 3)]
    shares, ids, entropy = read_rows([(shards[shard], row, row + 1) for shard, row in asked], code)
    begin = 0
    for place in asked:
        own_shares, own_ids, own_entropy = alone[place]
        end, width = begin + len(own_shares), own_shares.shape[1]
        assert torch.equal(shares[begin:end, :width], own_shares)
        assert torch.equal(ids[begin:end, :width], own_ids)
        assert not shares[begin:end, width:].any()
        assert torch.equal(entropy[begin:end], own_entropy)
        begin = end
    assert begin == len(shares)


def test_rows_without_positions_have_no_entries():
    code = IdCode.best(70, 16)
    shard = SampledShard(stored(distributions(12, 70), 12 * 16, ROWS, code), code)
    shares, ids, entropy = read_rows([(shard, 0, 0)], code)
    assert (len(shares), len(ids), len(entropy)) == (0, 0, 0)
    with_one = read_rows([(shard, 0, 0), (shard, 1, 2)], code)
    assert torch.equal(with_one[0], read_rows([(shard, 1, 2)], code)[0])


def test_ids_above_65536_come_back():
    vocabulary = 151_936
    log_probs = torch.full((1, vocabulary), float("-inf"))
    wanted = [3, 65_535, 65_536, 100_000, 151_935]
    log_probs[0, wanted] = torch.tensor([0.4, 0.3, 0.1, 0.1, 0.1]).log()
    code = IdCode.best(vocabulary, 32)
    dense, _ = shares_of(stored(log_probs, 10_000, torch.tensor([0, 1]), code), code, vocabulary)
    assert dense[0].nonzero()[:, 0].tolist() == wanted
    torch.testing.assert_close(dense[0, wanted], log_probs[0, wanted].exp(), rtol=0, atol=1 / 255)
