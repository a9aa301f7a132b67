"""Contexts through the nodes: who reads them, and that no student ever does."""

import json
from collections import defaultdict

import pytest
import torch

from kd_kedro.datasets.tables import split_rows
from kd_kedro.generation.protocol import Outcome
from kd_kedro.inference.generate import answer_states, generate_answers
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.distillation.lengths import check_lengths, length_notes
from kd_kedro.pipelines.distillation.nodes import capture_targets, choose_examples, teacher_inputs
from kd_kedro.pipelines.distillation.params import SequenceLevelParams
from kd_kedro.pipelines.distillation.sequence_level import make_student_examples
from kd_kedro.pipelines.distillation.students import taught_inputs
from kd_kedro.training.contexts import encode_for_teacher, teacher_asked_of
from kd_kedro.training.examples import asked_of, encode_examples, make_examples
from kd_kedro.training.loop import model_training
from kd_kedro.training.loop.model_training import TrainingInputs
from kd_kedro.training.loop.training_config import OnPolicyConfig
from kd_kedro.training.teacher.capture_config import CaptureConfig
from tests.pipelines.distillation.recipe import parameters, run
from tests.pipelines.distillation.toy import augmented_qa
from tests.training.architectures import build, save
from tests.training.tiny import tiny_model

SECRET = "zxqv"
TABLE = augmented_qa(40)
TABLE = TABLE.assign(
    context=[f"{SECRET} {row}" * 9 if n % 2 else "" for n, row in enumerate(TABLE["row_id"])]
)
LENGTH = 100


@pytest.fixture(scope="module")
def examples():
    rows = TABLE[(TABLE["style"] == "original") & (TABLE["split"] == "train")].head(6)
    return make_examples(rows.assign(context=[f"{SECRET} {n}." if n % 2 else "" for n in range(6)]))


@pytest.fixture(scope="module")
def teacher(examples):
    tokenizer = train_byte_bpe([*examples["fields"], *examples["answer"]], vocabulary=400)
    return LanguageModel(tiny_model(tokenizer, seed=3), tokenizer)


@pytest.mark.training
def test_teachers_alone_are_trained_on_contexts(tmp_path, monkeypatch):
    read = defaultdict(set)
    train = model_training.train

    def spy(model, rows, validation, *, description, **settings):
        read[description] |= {row.input_ids for row in (*rows, *validation)}
        return train(model, rows, validation, description=description, **settings)

    monkeypatch.setattr(model_training, "train", spy)
    short = {"max_steps": 2, "num_evaluations": 1}
    changed = {
        "training": short,
        "teacher": {"training": short},
        "targets": {"source": "live"},
        "objective": {"hidden_state_weight": 0.0, "divergence": "forward_kl"},
        "on_policy": {"share": 0.5, "max_new_tokens": 4},
        "seeds": {"count": 2},
    }
    catalog = run(TABLE, tmp_path, changed=changed)
    tokenizer, teacher = catalog.load("tokenizer"), catalog.load("teacher")
    told = {
        name: sum(SECRET in text for text in tokenizer.batch_decode([*rows]))
        for name, rows in read.items()
    }
    taught = {name: count for name, count in told.items() if "teacher" not in name}
    assert {"baseline", "student"} <= {*taught}
    assert not any(taught.values()), taught
    assert "teacher" in told
    assert all(told[name] for name in {*told} - {*taught}), told
    longest = max(len(row) for row in read["teacher"])
    assert 160 < longest <= teacher.max_length
    assert catalog.load("student").max_length == 160
    examples = catalog.load("student_examples")
    assert not any(SECRET in json.dumps(asked) for asked in asked_of(examples))


def test_targets_are_of_the_students_answers_behind_the_teachers_prompts(
    examples, teacher, tmp_path
):
    written = examples.assign(outcome="reference", reason="")
    tokenizer, place = teacher.tokenizer, (LENGTH, tmp_path)
    sources = {}
    for name in ("dense", "live"):
        config = CaptureConfig(source=name, capture=True, hidden_states=False, dtype="float32")
        targets = capture_targets(written, tokenizer, teacher, config, *place)
        alone = TrainingInputs(written, written, tokenizer, *place)
        inputs = taught_inputs(alone, teacher, targets, OnPolicyConfig(share=0.5))
        sources[name], judge = inputs.targets, inputs.on_policy.teacher
    student = collate(encode_examples(written, tokenizer, LENGTH), 0)
    read = collate(encode_for_teacher(written, tokenizer, LENGTH), 0)
    assert student.answers.tolist() == read.answers.tolist()
    with torch.no_grad():
        states = answer_states(teacher.model, read)
        wanted = torch.log_softmax(teacher.model.lm_head(states), -1)
    for source in (*sources.values(), judge):
        signal = source.signal(student, 1.0)
        torch.testing.assert_close(signal.teacher, wanted, atol=1e-4, rtol=0)
    assert sources["live"].fingerprint == judge.fingerprint
    bare = capture_targets(written.assign(context=""), tokenizer, teacher, config, *place)
    assert bare.manifest["fingerprint"] != targets.manifest["fingerprint"]
    with pytest.raises(ValueError, match="other"):
        taught_inputs(alone, teacher, bare, None)


@pytest.mark.parametrize("source", ["teacher", "generator"])
def test_who_writes_answers_reads_the_context(source, examples, teacher):
    asked, own = [], teacher_asked_of(examples)

    class Generator:
        def generate(self, requests):
            asked.extend(request.text for request in requests)
            return [Outcome("ok", "Debit Land.", "") for _ in requests]

    params = SequenceLevelParams(source=source, must_match=False, max_new_tokens=6)
    made = make_student_examples(examples, teacher, Generator(), params, max_length=LENGTH)
    written = made[made["outcome"] != "reference"]
    if source == "teacher":
        said = generate_answers(teacher, own, max_new_tokens=6, batch_size=64)
        assert [*written["answer"]] == said
        assert said != generate_answers(
            teacher, asked_of(examples), max_new_tokens=6, batch_size=64
        )
    else:
        assert asked == own
    assert asked_of(written) == asked_of(examples)


def test_a_context_that_a_teacher_cannot_read_whole_is_refused_before_training(tmp_path):
    params = parameters("test")["params:distillation.examples"]
    long = TABLE.assign(context="")
    row = long.index[long["split"] == "train"][3]
    long.loc[row, "context"] = f"{SECRET} " * 60
    tokenizer = train_byte_bpe([*TABLE["question"], *TABLE["answer"]], 400)
    folder = save(tmp_path, build("gpt2", tokenizer), tokenizer)  # 128 positions
    examples = (*choose_examples(long, params), long)
    said = (
        rf"^toy, row {long.loc[row, 'row_id']} has \d+ tokens with its context, but "
        r"distillation\.{}\.pretrained{} '.*' reads at most 128"
    )
    with pytest.raises(ValueError, match=said.format("teacher", "")):
        check_lengths(*examples, tokenizer, params, folder)
    with pytest.raises(ValueError, match=said.format("ensemble", r"\.0")):
        check_lengths(*examples, tokenizer, params, "", [folder])
    with pytest.raises(ValueError, match=said.format("teacher", "")):  # as the plan says it
        length_notes(*examples, tokenizer, params, folder, (), "", "")
    check_lengths(*examples, tokenizer, params, "")  # one made here is given the positions


def test_where_there_is_no_context_a_teacher_is_trained_as_ever(examples, teacher, tmp_path):
    bare = examples.assign(context="")
    inputs = TrainingInputs(bare, bare, teacher.tokenizer, LENGTH, tmp_path)
    assert teacher_inputs(inputs) is inputs


def test_augmented_rows_may_have_a_context():
    assert [*split_rows.validate(TABLE)["context"]] == [*TABLE["context"]]
