"""The training loop: normalisation, order, dropout, the released checkpoint, the budget."""

import pytest
import torch
from transformers import TrainerCallback

from kd_kedro.models.encoding import collate
from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.training.loop import distillation_module
from kd_kedro.training.loop.objective import answer_loss
from kd_kedro.training.loop.sampling import LengthGroupedSampler
from kd_kedro.training.loop.train import train
from kd_kedro.training.loop.trainer_arguments import training_arguments
from kd_kedro.training.loop.training_config import ObjectiveConfig, TrainingConfig, planned_steps
from kd_kedro.training.loop.validation_loss import summed_cross_entropy
from kd_kedro.training.teacher.signals import LiveTeacher
from tests.training.tiny import tiny_model

SETTINGS = {
    "learning_rate": 1e-2,
    "batch_size": 2,
    "gradient_accumulation_steps": 1,
    "epochs": 100,
    "max_tokens": 10**9,
    "max_steps": 3,
    "warmup_ratio": 0.0,
    "lr_scheduler_type": "cosine",
    "weight_decay": 0.0,
    "max_grad_norm": 1e9,
    "num_evaluations": 3,
    "patience": 0,
    "precision": "fp32",
}


def fit(
    model,
    examples,
    path,
    *,
    objective=None,
    targets=None,
    validation=None,
    seed=1,
    on_policy=None,
    on_evaluation=None,
    keeps=False,
    **changed,
):
    history = train(
        model,
        examples,
        examples[:3] if validation is None else validation,
        objective=objective or ObjectiveConfig(),
        targets=targets,
        on_policy=on_policy,
        settings=TrainingConfig(**SETTINGS).model_copy(update=changed),
        seed=seed,
        padding=1,
        work_dir=path,
        keeps=keeps,
        description="test",
        on_evaluation=on_evaluation,
    )
    return history


def first_gradient(tokenizer, examples, path, **changed):
    model = tiny_model(tokenizer, seed=3)
    goal, targets = ObjectiveConfig(alpha=0.4, beta=0.6, temperature=2.0), live(tokenizer)
    history = fit(model, examples, path, objective=goal, targets=targets, max_steps=1, **changed)
    return history[0]["grad_norm"], history[0]["loss"]


def live(tokenizer, dropout=0.0):
    model = tiny_model(tokenizer, seed=9, dropout=dropout)
    return LiveTeacher(model, len(tokenizer), "live")


def test_gradients_do_not_depend_on_the_accumulation_split(tokenizer, examples, tmp_path):
    # All six rows in one step, whose answers have 5 to 40 tokens: per-batch means would differ,
    # and ignoring num_items_in_batch would multiply the gradient by the number of splits.
    whole = first_gradient(
        tokenizer, examples, tmp_path, batch_size=6, gradient_accumulation_steps=1
    )
    for size in (1, 2, 3):
        split = first_gradient(
            tokenizer, examples, tmp_path, batch_size=size, gradient_accumulation_steps=6 // size
        )
        assert split == pytest.approx(whole, rel=1e-4)


def test_the_gradient_is_that_of_a_dense_float64_reference(tokenizer, examples, tmp_path):
    norm, loss = first_gradient(
        tokenizer, examples, tmp_path, batch_size=2, gradient_accumulation_steps=3
    )
    student, teacher = (tiny_model(tokenizer, seed=seed).double() for seed in (3, 9))
    total, tokens = 0.0, 0
    for example in examples:  # unpadded, one at a time, whole vocabulary at every position
        ids = torch.tensor([example.input_ids])
        places = slice(example.answer_start - 1, len(example.input_ids) - 1)
        logits, labels = student(ids).logits[0, places], ids[0, example.answer_start :]
        with torch.no_grad():
            p = (teacher(ids).logits[0, places] / 2).log_softmax(-1)
        q = (logits / 2).log_softmax(-1)
        ce = -logits.log_softmax(-1).gather(1, labels[:, None]).sum()
        total = total + 0.4 * ce + 0.6 * 4 * (p.exp() * (p - q)).sum()
        tokens += len(labels)
    mean = total / tokens
    mean.backward()
    expected = torch.cat([w.grad.flatten() for w in student.parameters()]).norm().item()
    assert loss == pytest.approx(mean.item(), rel=1e-4)
    assert norm == pytest.approx(expected, rel=1e-4)


def test_the_history_has_the_parts_of_the_loss(tokenizer, examples, tmp_path):
    history = fit(
        tiny_model(tokenizer),
        examples,
        tmp_path,
        objective=ObjectiveConfig(alpha=0.4, beta=0.6, temperature=2.0),
        targets=live(tokenizer),
    )
    for record in history:
        assert record["step"] in {1, 2, 3}
        if "loss" in record:
            total = 0.4 * record["cross_entropy"] + 0.6 * 4 * record["divergence"]
            assert record["loss"] == pytest.approx(total, rel=1e-4)
    assert sum("validation_loss" in record for record in history) == 3


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    tokenizer, examples, tmp_path, dropout
):
    hashes = []
    for seed in (1, 1, 2):
        model = tiny_model(tokenizer, dropout=dropout)
        fit(model, examples, tmp_path, seed=seed)
        hashes.append(weights_fingerprint(model))
    assert hashes[0] == hashes[1] != hashes[2]


def test_dropout_is_on_for_the_student_and_off_for_the_teacher(
    tokenizer, examples, tmp_path, monkeypatch
):
    student, source = tiny_model(tokenizer, dropout=0.4), live(tokenizer, dropout=0.4)
    batch = collate(examples, 1)
    quiet = source.signal(batch, 1.0).teacher
    modes, signals = [], []

    def spy(objective, states, head, labels, signal, projection):
        if signal is not None:  # the validation rows are scored without the teacher
            modes.append(student.training)
            signals.append(signal.teacher)
        return answer_loss(objective, states, head, labels, signal, projection)

    monkeypatch.setattr(distillation_module, "answer_loss", spy)
    goal = ObjectiveConfig(alpha=0.5, beta=0.5)
    fit(student, examples, tmp_path, objective=goal, targets=source, batch_size=6, max_steps=2)
    assert modes == [True, True]
    for signal in signals:  # the rows come in another order, their distributions are the same
        found = signal.exp().sum(0).cpu()
        torch.testing.assert_close(found, quiet.exp().sum(0), rtol=1e-4, atol=1e-4)
        assert not signal.requires_grad
    assert not student.training


def test_the_best_weights_on_the_validation_rows_are_released(tokenizer, examples, tmp_path):
    model = tiny_model(tokenizer)
    budget = {"max_steps": 12, "num_evaluations": 12, "learning_rate": 0.1}
    history = fit(model, examples[:2], tmp_path, validation=examples[4:], **budget)
    losses = [record["validation_loss"] for record in history if "validation_loss" in record]
    assert losses[-1] > min(losses)  # two rows by heart are no help with the others
    total, tokens = summed_cross_entropy(
        distillation_module.DistillationModule(model, ObjectiveConfig()), examples[4:], 1, "fp32"
    )
    assert total / tokens == pytest.approx(min(losses))


def test_training_stops_when_patience_is_spent(tokenizer, examples, tmp_path):
    model = tiny_model(tokenizer)
    history = fit(
        model,
        examples[:2],
        tmp_path,
        validation=examples[4:],
        max_steps=40,
        num_evaluations=40,
        patience=3,
    )
    losses = [record["validation_loss"] for record in history if "validation_loss" in record]
    assert len(losses) == losses.index(min(losses)) + 1 + 3 < 40


def test_without_validation_rows_the_last_weights_stay(tokenizer, examples, tmp_path):
    history = fit(tiny_model(tokenizer), examples, tmp_path, validation=[])
    assert all("validation_loss" not in record for record in history)
    assert history[-1]["step"] == 3


def test_nothing_is_left_of_a_training_that_ended(tokenizer, examples, tmp_path):
    fit(tiny_model(tokenizer), examples, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_random_state_of_the_caller_is_not_touched(tokenizer, examples, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(tiny_model(tokenizer, dropout=0.3), examples, tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_the_tightest_bound_gives_the_steps(examples):
    # 6 rows of 2 x 1 a step; mean length m: 10 m tokens are five steps.
    mean = sum(len(example.input_ids) for example in examples) / 6
    for changed, steps in [
        ({"epochs": 2, "max_steps": 0}, 6),
        ({"epochs": 0.5, "max_steps": 0}, 2),
        ({"max_tokens": int(10 * mean), "max_steps": 0}, 5),
        ({"max_steps": 4}, 4),
        ({"max_tokens": 1, "max_steps": 0}, 1),
    ]:
        assert planned_steps(examples, TrainingConfig(**SETTINGS | changed)) == steps


def test_more_gpus_neither_wrap_the_model_nor_multiply_the_batch(tmp_path):
    settings = TrainingConfig(**SETTINGS)
    arguments = training_arguments(tmp_path, settings, 3, seed=1, validates=True)
    assert arguments.n_gpu == 1
    assert arguments.train_batch_size == SETTINGS["batch_size"]


def test_a_baseline_and_a_student_of_one_seed_see_the_same_rows(
    tokenizer, examples, tmp_path, monkeypatch
):
    orders = []

    def spy(objective, states, head, labels, signal, projection):
        orders[-1].append(labels.tolist())
        return answer_loss(objective, states, head, labels, signal, projection)

    monkeypatch.setattr(distillation_module, "answer_loss", spy)
    for goal, source in [
        (ObjectiveConfig(), None),
        (ObjectiveConfig(alpha=0.5, beta=0.5), live(tokenizer)),
    ]:
        orders.append([])
        fit(tiny_model(tokenizer), examples, tmp_path, objective=goal, targets=source, max_steps=7)
    assert orders[0] == orders[1]


def test_length_groups_hold_every_row_once_and_waste_little_padding():
    lengths = [(7 * index) % 50 + 1 for index in range(203)]
    sampler = LengthGroupedSampler(lengths, 8, seed=1)
    order = list(sampler)
    assert sorted(order) == list(range(203))
    padded = sum(
        8 * max(lengths[row] for row in order[start : start + 8]) for start in range(0, 200, 8)
    )
    assert padded < 1.15 * sum(lengths)
    sampler.set_epoch(1)
    assert list(sampler) != order
    sampler.set_epoch(0)
    assert list(sampler) == order
    means = [sum(lengths[row] for row in order[start : start + 8]) for start in range(0, 200, 8)]
    assert means != sorted(means, reverse=True)  # batches come in no order of length


def test_a_loss_that_is_no_number_is_said_and_not_logged_as_zero(tokenizer, examples, tmp_path):
    for validation in (examples[:3], []):
        with pytest.raises(ValueError, match=r"learning_rate: by step \d the loss was no number"):
            fit(
                tiny_model(tokenizer),
                examples,
                tmp_path,
                validation=validation,
                learning_rate=1e30,
                max_steps=6,
            )


def test_gradients_are_clipped(tokenizer, examples, tmp_path):
    """Before its optimiser, AdamW forgets a gradient's size: the logged norm is the unclipped one.

    So what is looked at is what the optimiser is given.
    """
    given = []

    class Norm(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model, **_):
            gradients = [w.grad.flatten() for w in model.parameters() if w.grad is not None]
            given.append(torch.cat(gradients).norm().item())

    settings = SETTINGS | {"max_grad_norm": 0.25}
    train(
        tiny_model(tokenizer),
        examples,
        [],
        objective=ObjectiveConfig(),
        targets=None,
        settings=TrainingConfig(**settings),
        seed=1,
        padding=1,
        work_dir=tmp_path,
        description="test",
        callbacks=[Norm()],
    )
    assert given == pytest.approx([0.25] * 3, rel=1e-4)


def test_bf16_is_of_the_products_alone(tokenizer, examples, tmp_path):
    ended = []
    for precision in ("fp32", "bf16"):
        model = tiny_model(tokenizer)
        fit(model, examples, tmp_path, precision=precision, learning_rate=1e-3)
        assert {weight.dtype for weight in model.parameters()} == {torch.float32}
        ended.append(torch.cat([weight.detach().flatten() for weight in model.parameters()]))
    gap = (ended[0] - ended[1]).abs().max().item()
    assert 0 < gap < 1e-2


def test_weights_stored_in_16_bits_learn_in_32(tokenizer, examples, tmp_path):
    model = tiny_model(tokenizer).bfloat16()
    fit(model, examples, tmp_path, learning_rate=1e-5)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    moved = [
        (a != b).float().mean().item()
        for a, b in zip(
            model.cpu().parameters(), tiny_model(tokenizer).bfloat16().parameters(), strict=True
        )
    ]
    assert min(moved) > 0.5


def test_rows_longer_than_a_model_reads_are_refused(tokenizer, examples, tmp_path):
    short = tiny_model(tokenizer)
    short.config.max_position_embeddings = 40
    with pytest.raises(ValueError, match=r"a row has \d+ tokens but GPT2LMHeadModel has .* for 40"):
        fit(short, examples, tmp_path)
    judge = LiveTeacher(short, len(tokenizer), "live")
    with pytest.raises(ValueError, match=r"lower distillation\.examples\.max_length"):
        fit(
            tiny_model(tokenizer),
            examples,
            tmp_path,
            objective=ObjectiveConfig(alpha=0, beta=1),
            targets=judge,
        )
    with pytest.raises(ValueError, match="no training row"):
        fit(tiny_model(tokenizer), [], tmp_path)
