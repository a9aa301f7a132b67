"""A baseline that is given all the compute of teacher, capture and student."""

import pytest

from kd_kedro.pipelines.distillation.nodes import choose_examples
from kd_kedro.pipelines.distillation.sequence_level import make_student_examples
from kd_kedro.pipelines.distillation.students import compute_of
from kd_kedro.pipelines.distillation.training_groups import StudentSettings
from kd_kedro.training.contexts import encode_for_teacher
from kd_kedro.training.examples import encode_examples
from kd_kedro.training.teacher.targets import TeacherTargets
from tests.pipelines.distillation.recipe import TARGETS, parameters, run
from tests.pipelines.distillation.toy import augmented_qa

TABLE = augmented_qa(60)
CHANGED = {
    "seeds": {"count": 2},
    "controls": {
        "patient": "both",
        "teacher_seed": None,
        "baseline": {"learning_rate": 0.002},
    },
    "ensemble": {"seeds": [5]},
    "objective": TARGETS,
}
STEPS, BATCH = 4, 16  # of conf/test, for teacher and student


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return run(TABLE, tmp_path_factory.mktemp("patient"), changed=CHANGED)


def lengths(catalog):
    training, _ = choose_examples(TABLE, parameters("test")["params:distillation.examples"])
    rows = encode_examples(training, catalog.load("tokenizer"), 160)
    return [len(row.input_ids) for row in rows]


def test_twins_of_every_seed_read_for_the_whole_compute(catalog):
    models, teacher = catalog.load("student_seeds"), catalog.load("teacher")
    names = {f"patient_{account}_{seed}" for account in ("given", "counted") for seed in (1, 2)}
    assert set(models) == names | {"baseline_2", "student_2", "cut_untaught_2"}
    own = catalog.load("baseline_student")
    rows = lengths(catalog)
    read = STEPS * BATCH * sum(rows) / len(rows)
    larger = 2 * teacher.parameters / own.parameters  # two teachers of one size
    given = read + larger * sum(rows) / 3
    for account, tokens in (("given", given), ("counted", given + larger * read)):
        twin = models[f"patient_{account}_1"]
        assert twin.card["training"]["max_tokens"] == round(tokens)
        assert (twin.card["seed"], models[f"patient_{account}_2"].card["seed"]) == (1, 2)
        assert twin.card["steps"] == pytest.approx(STEPS * tokens / read, abs=1)
        assert twin.card["teacher_targets"] is None
        assert twin.parameters == own.parameters


def test_a_baseline_and_its_patient_twins_have_a_learning_rate_of_their_own(catalog):
    seeds = catalog.load("student_seeds")
    alone = [catalog.load("baseline_student"), seeds["baseline_2"], seeds["patient_given_1"]]
    taught = [catalog.load("student"), seeds["student_2"]]
    rate = parameters("test")["params:distillation.training"].learning_rate
    assert [each.card["training"]["learning_rate"] for each in alone] == [0.002] * 3
    assert [each.card["training"]["learning_rate"] for each in taught] == [rate] * 2


@pytest.mark.parametrize("context", ["", "Furniture is no stock."])
@pytest.mark.parametrize(("source", "asks"), [("live", True), ("dense", True), ("dense", False)])
def test_a_teacher_costs_what_it_is_asked(catalog, tmp_path, source, asks, context):
    values, rows = parameters("test"), lengths(catalog)
    training, validation = choose_examples(TABLE, values["params:distillation.examples"])
    training["context"] = context
    whole = [
        len(row.input_ids) for row in encode_for_teacher(training, catalog.load("tokenizer"), 160)
    ]
    written = values["params:distillation.sequence_level"]
    asked = StudentSettings(
        student=values["params:distillation.student"],
        training=values["params:distillation.training"],
        patience={"account": "given", "asks_teacher": asks},
        seed=1,
        max_length=160,
    )
    compute = compute_of(
        (
            make_student_examples(training, None, None, written),
            validation,
            catalog.load("tokenizer"),
        ),
        catalog.load("teacher"),
        TeacherTargets({"source": source}, tmp_path),
        asked,
    )
    read = STEPS * BATCH * sum(rows) / len(rows)
    asked_live = read * sum(whole) / sum(rows)
    passed = (asked_live if source == "live" else sum(whole)) if asks else 0.0
    assert compute.tokens == pytest.approx(read)
    assert compute.asking == pytest.approx(2 * 2 * catalog.load("teacher").parameters * passed)


def test_a_teacher_that_is_not_trained_cannot_be_counted():
    used = {"teacher": {"pretrained": "some/model", "fine_tune": False}}
    with pytest.raises(
        ValueError, match=r"controls\.patient is both but teacher\.fine_tune is fal"
    ):
        parameters_of({**used, "controls": {"patient": "both", "teacher_seed": None}})
    parameters_of({**used, "controls": {"patient": "given"}})


def parameters_of(changed):
    from kd_kedro.pipelines.distillation import PARAMETERS
    from tests.pipelines.distillation.recipe import whole

    return PARAMETERS.model_validate(whole("test", changed))
