"""Rows that name their teacher, through the nodes: what is asked of whom, and what is refused."""

import pytest

from kd_kedro.inference.generate import generate_answers
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.distillation.nodes import capture_targets, train_teacher
from kd_kedro.pipelines.distillation.sequence_level import make_student_examples, reference_examples
from kd_kedro.pipelines.distillation.students import reference_inputs, taught_inputs
from kd_kedro.training.examples import make_examples
from tests.pipelines.distillation.recipe import parameters
from tests.pipelines.distillation.toy import augmented_qa
from tests.training.tiny import tiny_model

LENGTH = 120


@pytest.fixture(scope="module")
def values():
    changed = {
        "targets": {"source": "top_k"},
        "objective": {"divergence": "bucketed_forward_kl", "hidden_state_weight": 0.0},
    }
    return parameters("test", changed)


@pytest.fixture(scope="module")
def examples():
    rows = augmented_qa(6)
    rows = rows[rows["style"] == "original"]
    names = ["pretrained_0" if place % 2 else "" for place in range(len(rows))]
    return make_examples(rows.assign(teacher=names))


@pytest.fixture(scope="module")
def teacher(examples):
    tokenizer = train_byte_bpe([*examples["fields"], *examples["answer"]], vocabulary=400)
    first, other = (LanguageModel(tiny_model(tokenizer, seed=n), tokenizer) for n in (3, 4))
    other = LanguageModel(other.model, tokenizer, {"share": 0.5})
    return LanguageModel(first.model, tokenizer, {}, {"pretrained_0": other})


def test_an_unknown_name_is_refused_before_a_teacher_is_trained(values, examples, tmp_path):
    said = r"row r0000\d names the teacher 'pretrained_0', but the teachers of this run are t"
    groups = (values[f"params:distillation.{name}"] for name in ("teacher", "ensemble"))
    with pytest.raises(ValueError, match=said):
        train_teacher(examples, examples, None, *groups, LENGTH, tmp_path)


def test_targets_are_those_of_the_names_and_go_with_no_others(values, examples, teacher, tmp_path):
    config = values["params:distillation.targets"]
    written = examples.assign(outcome="reference", reason="")
    place = (LENGTH, tmp_path)
    targets = capture_targets(written, teacher.tokenizer, teacher, config, *place)
    other = written.assign(teacher="")
    student = values["params:distillation.student"]

    def learns_from(rows, on_policy=None):
        inputs = reference_inputs(rows, rows, teacher.tokenizer, student, *place)
        return taught_inputs(inputs, teacher, targets, on_policy)

    assert learns_from(reference_examples(written)).targets is not None
    with pytest.raises(ValueError, match="another column teacher of the examples"):
        learns_from(other)
    sampling = values["params:distillation.on_policy"].model_copy(update={"share": 0.5})
    with pytest.raises(ValueError, match=r"on_policy.share is above 0, but row .* names its"):
        learns_from(written, sampling)
    live = config.model_copy(update={"source": "live"})
    with pytest.raises(ValueError, match=r"targets.source is live, but row .* names its teacher"):
        capture_targets(written, teacher.tokenizer, teacher, live, *place)


def test_an_answer_is_written_by_the_teacher_that_its_row_names(values, examples, teacher):
    params = values["params:distillation.sequence_level"].model_copy(
        update={"source": "teacher", "max_new_tokens": 6, "must_match": False}
    )
    made = make_student_examples(examples, teacher, None, params)
    written = made[made["outcome"] != "reference"]
    questions = augmented_qa(6).set_index("row_id")["question"]
    for row in written.itertuples():
        who = teacher.named(row.teacher)
        (own,) = generate_answers(who, [questions[row.row_id]], max_new_tokens=6, batch_size=1)
        assert row.answer == own
