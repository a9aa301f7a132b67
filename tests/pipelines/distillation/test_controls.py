"""What the students are compared with: the student untrained, other teachers."""

import pytest

from kd_kedro.pipelines.distillation.nodes import choose_examples, train_controls
from kd_kedro.pipelines.distillation.training_groups import set_controls
from kd_kedro.storage.fingerprints import weights_fingerprint
from tests.pipelines.distillation.recipe import parameters, run
from tests.pipelines.distillation.toy import augmented_qa

TABLE = augmented_qa(60)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    changed = {"seeds": {"count": 1}}
    return run(TABLE, tmp_path_factory.mktemp("controls"), changed=changed)


def made(catalog, folder, changed):
    values = parameters("test", changed)
    names = ("student", "teacher", "training", "controls")
    asked = set_controls(*(values[f"params:distillation.{name}"] for name in names), 1, 160)
    models, history = train_controls(
        *choose_examples(TABLE, values["params:distillation.examples"]),
        catalog.load("tokenizer"),
        catalog.load("start_student"),
        asked,
        folder,
    )
    return models, history


def test_the_untrained_student_is_the_student_before_its_first_step(catalog, tmp_path):
    untrained = catalog.load("control_models")["untrained"]
    student = catalog.load("student")
    assert untrained.parameters == student.parameters
    assert weights_fingerprint(untrained.model) != weights_fingerprint(student.model)
    again, _ = made(catalog, tmp_path, {"controls": {"teacher_seed": None}})
    assert again["untrained"].card["weights"] == untrained.card["weights"]


def test_the_second_teacher_differs_by_its_seed_alone(catalog):
    floor, teacher = catalog.load("control_models")["floor_teacher"], catalog.load("teacher")
    assert (teacher.card["seed"], floor.card["seed"]) == (1, 2)
    assert floor.card["training"] == teacher.card["training"]
    assert floor.card["weights"] != teacher.card["weights"]
    assert any("loss" in record for record in catalog.load("controls_history"))


def test_there_is_no_second_teacher_where_none_is_asked(catalog, tmp_path):
    changed = {"controls": {"teacher_seed": None, "cut_untaught": False}}
    models, history = made(catalog, tmp_path, changed)
    assert set(models) == {"untrained"}
    assert history == []


def test_the_teacher_is_kept_as_it_came_where_that_is_asked(catalog, tmp_path):
    folder, stored = tmp_path / "pretrained", catalog.load("teacher")
    stored.model.save_pretrained(folder)
    stored.tokenizer.save_pretrained(folder)
    wanted = {"pretrained_teacher": True, "teacher_seed": None, "cut_untaught": False}
    changed = {"teacher": {"pretrained": str(folder)}, "controls": wanted}
    models, history = made(catalog, tmp_path, changed)
    assert set(models) == {"untrained", "pretrained_teacher"}
    assert models["pretrained_teacher"].card["weights"] == stored.card["weights"]
    assert history == []
    # A teacher that is not fine-tuned is as it came.
    changed["teacher"]["fine_tune"] = False
    assert set(made(catalog, tmp_path, changed)[0]) == {"untrained"}
