"""A training that was killed goes on, and ends as if nothing had happened."""

import os
import shutil
import time
from dataclasses import replace

import pytest
import torch

from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.training.loop import checkpoints
from kd_kedro.training.loop import train as train_module
from kd_kedro.training.loop.checkpoints import (
    last_checkpoint,
    several_trainings,
    training_folder,
)
from kd_kedro.training.loop.distillation_module import DistillationModule
from kd_kedro.training.loop.hf_trainer import AnswerTrainer
from kd_kedro.training.loop.training_config import ObjectiveConfig
from tests.training.loop.test_train import fit, live
from tests.training.tiny import tiny_model


class Killed(BaseException):
    """Not an Exception, as a kill is none."""


def frozen(model):
    """As with adapters: only some weights learn."""
    for weight in model.transformer.parameters():
        weight.requires_grad_(False)
    for weight in model.transformer.h[1].parameters():
        weight.requires_grad_(True)
    return model


KINDS = {
    "dropout": ({"dropout": 0.3}, {"batch_size": 2, "max_steps": 8, "num_evaluations": 4}),
    "accumulation": (
        {"dropout": 0.3},
        {"gradient_accumulation_steps": 2, "max_steps": 8, "num_evaluations": 4},
    ),
    "short last batch": ({}, {"batch_size": 4, "max_steps": 7, "num_evaluations": 3}),
    "patience": (
        {"dropout": 0.1},
        {
            "batch_size": 3,
            "max_steps": 40,
            "num_evaluations": 40,
            "patience": 2,
            "learning_rate": 0.1,
        },
    ),
    "no validation": ({"dropout": 0.3}, {"validation": [], "max_steps": 8, "num_evaluations": 3}),
    "own checkpoints": (
        {"dropout": 0.3},
        {"max_steps": 8, "num_evaluations": 1, "save_steps": 3},
    ),
    "sparse logs": ({"dropout": 0.3}, {"max_steps": 84, "num_evaluations": 12, "batch_size": 1}),
    "frozen": ({"dropout": 0.3}, {"max_steps": 6}),
    "teacher and projection": (
        {"dropout": 0.3},
        {
            "max_steps": 6,
            "objective": ObjectiveConfig(
                alpha=0.5, beta=0.5, temperature=2.0, hidden_state_weight=0.5
            ),
        },
    ),
}


def trained(kind, tokenizer, examples, path, **more):
    made, changed = KINDS[kind]
    model = tiny_model(tokenizer, **made)
    model = frozen(model) if kind == "frozen" else model
    if "objective" in changed:
        more["targets"] = live(tokenizer)
    history = fit(model, examples, path, **changed | more)
    return weights_fingerprint(model), history


def kill_after(monkeypatch, calls, owner=DistillationModule, name="forward"):
    whole, count = getattr(owner, name), iter(range(calls))

    def dies(self, *args, **kwargs):
        if getattr(self, "training", True) and next(count, None) is None:  # not in evaluation
            raise Killed
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, dies)


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_training_ends_with_the_same_weights_and_history(
    kind, tokenizer, examples, tmp_path, monkeypatch
):
    expected = trained(kind, tokenizer, examples, tmp_path)
    for calls in (2, 45) if kind == "sparse logs" else (4, 5):
        with monkeypatch.context() as patched:
            kill_after(patched, calls)
            with pytest.raises(Killed):
                trained(kind, tokenizer, examples, tmp_path)
        with monkeypatch.context() as patched:  # and again, now after it had gone on
            kill_after(patched, 1)
            with pytest.raises(Killed):
                trained(kind, tokenizer, examples, tmp_path)
        assert trained(kind, tokenizer, examples, tmp_path) == expected
        assert list(tmp_path.iterdir()) == []


def test_it_goes_on_from_the_last_checkpoint(tokenizer, examples, tmp_path, monkeypatch):
    expected = trained("dropout", tokenizer, examples, tmp_path)
    with monkeypatch.context() as patched:
        kill_after(patched, 7)  # of 8 steps, with checkpoints after 2, 4 and 6
        with pytest.raises(Killed):
            trained("dropout", tokenizer, examples, tmp_path)
    (folder,) = tmp_path.iterdir()
    assert last_checkpoint(folder).name == "checkpoint-6"
    with monkeypatch.context() as patched:
        kill_after(patched, 2)  # two are enough for what is left
        assert trained("dropout", tokenizer, examples, tmp_path) == expected


def test_killed_after_its_last_step_it_is_not_trained_further(
    tokenizer, examples, tmp_path, monkeypatch
):
    for kind in ("patience", "no validation"):
        expected = trained(kind, tokenizer, examples, tmp_path)
        with monkeypatch.context() as patched:
            kill_after(patched, 0, AnswerTrainer, "_finalize_training")
            with pytest.raises(Killed):
                trained(kind, tokenizer, examples, tmp_path)
            kill_after(patched, 0)  # no forward pass is needed any more
            assert trained(kind, tokenizer, examples, tmp_path) == expected


def leave_checkpoint(monkeypatch, tokenizer, examples, path, kind="dropout"):
    with monkeypatch.context() as patched:
        kill_after(patched, 5)
        with pytest.raises(Killed):
            trained(kind, tokenizer, examples, path)
    (folder,) = path.iterdir()
    return folder / "checkpoint-4"


def test_a_checkpoint_cut_short_is_removed_and_the_one_before_it_taken(
    tokenizer, examples, tmp_path, monkeypatch
):
    expected = trained("dropout", tokenizer, examples, tmp_path)
    whole = leave_checkpoint(monkeypatch, tokenizer, examples, tmp_path)
    (folder,) = tmp_path.iterdir()
    files = sorted(whole.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert files[-1].name == "complete.json"
    for number, file in enumerate(files):
        torn = folder / f"checkpoint-{10 + number}"
        shutil.copytree(whole, torn)
        (torn / file.name).unlink()
        cut = folder / f"checkpoint-{20 + number}"
        shutil.copytree(whole, cut)
        os.truncate(cut / files[0].name, files[0].stat().st_size // 2)
        zeroed = folder / f"checkpoint-{30 + number}"
        shutil.copytree(whole, zeroed)
        (zeroed / file.name).write_bytes(bytes(file.stat().st_size))
    assert last_checkpoint(folder) == whole
    assert sorted(folder.glob("checkpoint-*")) == [whole]
    assert trained("dropout", tokenizer, examples, tmp_path) == expected


def test_another_model_setting_row_or_objective_starts_anew(
    tokenizer, examples, tmp_path, monkeypatch
):
    leave_checkpoint(monkeypatch, tokenizer, examples, tmp_path)
    made, changed = KINDS["dropout"]
    others = [
        ({"seed": 1}, {}),
        ({"dropout": 0.2}, {}),
        ({}, {"learning_rate": 2e-2}),
        ({}, {"seed": 2}),
        ({}, {"validation": examples[:2]}),
        ({}, {"objective": ObjectiveConfig(alpha=0.5)}),
    ]
    steps = []
    whole = DistillationModule.forward

    def counted(self, *given):
        steps.extend([1] if self.training else [])
        return whole(self, *given)

    monkeypatch.setattr(DistillationModule, "forward", counted)
    for model, settings in others:
        steps.clear()
        fit(tiny_model(tokenizer, **made | model), examples, tmp_path, **changed | settings)
        assert len(steps) == 8, (model, settings)
    steps.clear()
    rows = [replace(examples[0], input_ids=examples[0].input_ids[::-1]), *examples[1:]]
    fit(tiny_model(tokenizer, **made), rows, tmp_path, validation=examples[:3], **changed)
    assert len(steps) == 8
    steps.clear()
    trained("dropout", tokenizer, examples, tmp_path)
    assert len(steps) == 4


class Evil:
    """Runs a command when it is unpickled by who trusts it."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_with_code_in_it_is_refused(name, tokenizer, examples, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    checkpoint = leave_checkpoint(monkeypatch, tokenizer, examples, work)
    torch.save({"state": Evil(tmp_path / "owned")}, checkpoint / name)
    checkpoints.complete(checkpoint)
    with pytest.raises(ValueError, match=r"checkpoint-4: .* more than tensors .* delete .* again$"):
        trained("dropout", tokenizer, examples, work)
    assert not (tmp_path / "owned").exists()


def test_the_caller_hears_of_every_evaluation_once_more(tokenizer, examples, tmp_path, monkeypatch):
    heard = []
    trained("dropout", tokenizer, examples, tmp_path, on_evaluation=lambda *e: heard.append(e))
    leave_checkpoint(monkeypatch, tokenizer, examples, tmp_path)
    again = []
    trained("dropout", tokenizer, examples, tmp_path, on_evaluation=lambda *e: again.append(e))
    assert again == heard
    assert len(heard) == 4


def test_what_the_caller_raises_ends_the_training_for_good(tokenizer, examples, tmp_path):
    def prune(step, loss):
        raise LookupError(f"pruned at {step}")

    with pytest.raises(LookupError, match="pruned at 2"):
        trained("dropout", tokenizer, examples, tmp_path, on_evaluation=prune)
    assert list(tmp_path.iterdir()) == []


def test_a_moved_work_directory_is_gone_on_with(tokenizer, examples, tmp_path, monkeypatch):
    expected = trained("patience", tokenizer, examples, tmp_path)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    leave_checkpoint(monkeypatch, tokenizer, examples, here, "patience")
    here.rename(there)
    assert trained("patience", tokenizer, examples, there) == expected


def test_the_same_training_twice_at_a_time_has_two_folders(tmp_path):
    with training_folder(tmp_path, "f") as first, training_folder(tmp_path, "f") as second:
        assert first != second
    with training_folder(tmp_path, "f") as again:
        assert again == first


def test_what_was_left_is_forgotten_after_a_week_unless_someone_works_there(tmp_path):
    old = time.time() - (checkpoints.DAYS + 1) * 86_400
    for name in ("training-old", "training-held", "training-new"):
        (tmp_path / name / "checkpoint-1").mkdir(parents=True)
        if name != "training-new":
            os.utime(tmp_path / name / "checkpoint-1", (old, old))
            os.utime(tmp_path / name, (old, old))
    with checkpoints._hold(tmp_path / "training-held"):
        for path in [tmp_path / "training-held", *(tmp_path / "training-held").iterdir()]:
            os.utime(path, (old, old))
        with training_folder(tmp_path, "f"):
            pass
    assert {path.name for path in tmp_path.iterdir()} == {"training-held", "training-new"}


def test_of_several_trainings_those_that_ended_are_not_trained_again(
    tokenizer, examples, tmp_path, monkeypatch
):
    def both(killed):
        """The two trainings, in turn, of models that were not trained."""
        models = [tiny_model(tokenizer, dropout=0.3) for _ in range(2)]
        with several_trainings(tmp_path, "both") as folder:
            histories = [fit(models[0], examples, folder, seed=1, keeps=True)]
            if killed:
                raise Killed
            histories.append(fit(models[1], examples, folder, seed=2, keeps=True))
        assert not any(model.training for model in models)
        return [weights_fingerprint(model) for model in models], histories

    expected = both(killed=False)
    assert list((tmp_path / "both").iterdir()) == []
    with pytest.raises(Killed):
        both(killed=True)
    kept = {path.name for path in (tmp_path / "both").rglob("*") if path.is_file()}
    assert kept == {"complete.json", "history.json", "learned.safetensors", "lock"}
    fitted, whole = [], train_module.fit

    def counted(training, *rest):
        fitted.append(training.seed)
        return whole(training, *rest)

    monkeypatch.setattr(train_module, "fit", counted)
    assert both(killed=False) == expected
    assert fitted == [2]
