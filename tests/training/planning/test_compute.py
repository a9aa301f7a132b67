"""The compute of a distillation, by hand, and what plain training reads for as much."""

import pytest

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.training.loop.training_config import TrainingConfig, planned_steps
from kd_kedro.training.planning.compute import (
    Compute,
    compute_taken,
    patient_training,
    planned_tokens,
)

TRAINING = TrainingConfig(
    learning_rate=1e-3, batch_size=2, gradient_accumulation_steps=3, epochs=10, max_tokens=10**9
)


def test_a_patient_twin_reads_for_all_compute() -> None:
    # A student of 10 parameters takes 60 FLOPs a token: 600 are 10 tokens more, 6000 are 100.
    compute = Compute(tokens=50.0, asking=600.0, teachers=6000.0)
    assert compute.patient_tokens(10) == {"given": 60.0, "counted": 160.0}
    there_before = Compute(tokens=50.0, asking=600.0, teachers=0.0)
    assert there_before.patient_tokens(10) == {"given": 60.0}


def test_teachers_count_for_what_their_trainings_really_read(model, tokenizer, examples) -> None:
    size = sum(weight.numel() for weight in model.parameters())
    mean = sum(len(row.input_ids) for row in examples) / len(examples)
    stopped = {"steps": 7, "training": TRAINING.model_dump()}
    trained, used = (LanguageModel(model, tokenizer, card) for card in (stopped, {}))
    compute = compute_taken([trained, used], examples, asked=100.0, tokens=5.0)
    assert compute.tokens == 5.0
    assert compute.asking == 2 * (2 * size * 100.0)
    assert compute.teachers == pytest.approx(6 * size * 7 * 2 * 3 * mean)


def test_a_patient_training_reads_its_tokens_and_is_scored_as_often_a_token(examples) -> None:
    short = TRAINING.model_copy(update={"max_steps": 5, "patience": 3, "num_evaluations": 6})
    own = planned_tokens(examples, short)
    longer = short.model_copy(update=patient_training(short, 4 * own, own))
    assert planned_steps(examples, longer) == 20
    assert (longer.num_evaluations, longer.patience) == (24, 0)
    assert longer.learning_rate == short.learning_rate
