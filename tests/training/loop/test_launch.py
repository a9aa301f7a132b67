"""Several processes: the same result as one, over whatever path the targets reach them."""

import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_model

from kd_kedro.models.encoding import collate
from kd_kedro.models.modes import decoder_start
from kd_kedro.training.loop.distillation_module import DistillationModule
from kd_kedro.training.loop.sampling import LengthGroupedSampler, RankBatches
from kd_kedro.training.loop.sharding import shard
from kd_kedro.training.loop.training_config import ObjectiveConfig
from kd_kedro.training.processes import exit_words
from kd_kedro.training.teacher.signals import LiveTeacher
from tests.conftest import ROOT
from tests.training.architectures import ALL, build
from tests.training.loop.test_train import fit
from tests.training.tiny import tiny_model

# Six rows in batches of five: the last one has a single row, and the second process none.
BUDGET = {"batch_size": 5, "gradient_accumulation_steps": 2, "max_steps": 20, "learning_rate": 1e-3}


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def test_two_processes_end_with_the_weights_of_one(tokenizer, examples, tmp_path):
    goal = ObjectiveConfig(alpha=0.5, beta=0.5, temperature=2.0, hidden_state_weight=0.3)
    ended = []
    for number in (1, 2):
        read = {"row1": [7, 8, 9], "row4": range(20, 60)}  # by the teacher alone
        judge = tiny_model(tokenizer, seed=9).double()
        teacher = LiveTeacher(judge, len(tokenizer), "live", prompts=read)
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


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_logits_in_float32_are_those_of_one(strategy, tokenizer, examples, tmp_path):
    ids = torch.tensor([examples[0].input_ids])
    said = []
    for shared in ({}, {"num_processes": 2, "strategy": strategy}):
        model = tiny_model(tokenizer)
        fit(model, examples, tmp_path, **BUDGET | shared)
        with torch.no_grad():
            said.append(model(ids).logits)
    with torch.no_grad():
        assert (said[0] - tiny_model(tokenizer)(ids).logits).abs().max() > 1e-2
    torch.testing.assert_close(*said, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ALL)
def test_every_architecture_can_lie_in_shards(kind, tokenizer, examples, tmp_path):
    module = DistillationModule(build(kind, tokenizer), ObjectiveConfig())
    batch = collate(examples, 1, decoder_start(module.model))
    whole = module(batch, None).total.item()
    meeting = f"file://{tmp_path / 'meeting'}"
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=0, world_size=1)
    try:
        shard(module, torch.device("cpu"))
        loss = module(batch, None).total
        loss.backward()
        assert loss.item() == pytest.approx(whole, rel=1e-6)
        assert module.model.get_output_embeddings().weight.grad is not None
    finally:
        torch.distributed.destroy_process_group()


NODE = """
import sys
from pathlib import Path
from safetensors.torch import save_model
from tests.training.loop.test_launch import BUDGET
from tests.training.loop.test_train import fit
from tests.training.tiny import ANSWERS, QUESTIONS, tiny_model
from kd_kedro.models.encoding import encode
from kd_kedro.models.tokenization import train_byte_bpe

tokenizer = train_byte_bpe([*QUESTIONS, *ANSWERS], vocabulary=300)
ids = [f"row{number}" for number in range(len(QUESTIONS))]
examples = encode(tokenizer, ids, QUESTIONS, ANSWERS, 128)
folder = Path(sys.argv[1])
model = tiny_model(tokenizer).double()
fit(model, examples, folder, num_nodes=2, rdzv_endpoint=sys.argv[2], **BUDGET)
save_model(model, str(folder / "ended.safetensors"))
"""


def test_two_nodes_end_with_the_weights_of_one_process(tokenizer, examples, tmp_path):
    """Two machines are two launchers that know of each other by the rendezvous alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
    folders = [tmp_path / name for name in ("first", "second")]
    nodes = []
    for folder in folders:
        folder.mkdir()
        command = [sys.executable, "-c", NODE, str(folder), endpoint]
        nodes.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True))
    for node in nodes:
        _, error = node.communicate(timeout=1200)
        assert node.returncode == 0, error
    model = tiny_model(tokenizer).double()
    fit(model, examples, tmp_path, **BUDGET)
    for folder in folders:
        other = tiny_model(tokenizer).double()
        load_model(other, folder / "ended.safetensors")
        assert (weights(model) - weights(other)).abs().max() < 1e-9


def test_how_a_process_ended_is_said_and_nothing_is_guessed():
    assert exit_words(-9) == "SIGKILL"
    assert exit_words(3) == "exit code 3"


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
