"""What students begin as is made once, and by all of them."""

import pytest

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.pipelines.distillation import create_pipeline
from kd_kedro.pipelines.distillation.groups import DistillationParams
from kd_kedro.pipelines.distillation.nodes import choose_examples
from kd_kedro.pipelines.distillation.starts import make_start
from kd_kedro.pipelines.distillation.training_groups import set_start
from kd_kedro.storage.fingerprints import weights_fingerprint
from tests.pipelines.distillation.recipe import parameters, run, whole
from tests.pipelines.distillation.toy import augmented_qa

TABLE = augmented_qa(60)
BUDGET = {"parameters": 0.7, "search_tokens": 2000}
SIZES = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """A run with a budget and two seeds."""
    changed = {"seeds": {"count": 2}, "student": {"from_teacher": BUDGET}}
    return run(TABLE, tmp_path_factory.mktemp("starts"), changed=changed)


def asked_of(student, validation_rows=32):
    values = parameters("test", {"student": student})
    examples = values["params:distillation.examples"]
    chosen = choose_examples(
        TABLE, examples.model_copy(update={"validation_rows": validation_rows})
    )
    names = ("student", "training.batch_size", "training.gradient_checkpointing")
    groups = [values[f"params:distillation.{name}"] for name in names]
    return chosen, set_start(*groups, examples.max_length)


def test_a_student_that_begins_as_no_part_of_the_teacher_has_no_start(tmp_path):
    chosen, asked = asked_of({"from_teacher": None})
    start, facts = make_start(*chosen, LanguageModel(None, None), asked, tmp_path)
    assert start == {}
    assert facts["candidates"] == facts["latency"] == []
    assert facts["origin"] == "students begin as no part of the teacher"


def test_of_the_shapes_within_a_budget_the_best_is_every_students_start(catalog):
    facts, teacher = catalog.load("start_facts"), catalog.load("teacher")
    start = catalog.load("start_student")["start"]
    losses = [each["validation_loss"] for each in facts["candidates"]]
    best = facts["candidates"][losses.index(min(losses))]
    assert best["taken"]
    assert len(losses) == len(facts["latency"]) >= 2
    assert facts["budget"] == {"parameters": 0.7}
    assert best["parameters"] == start.parameters <= 0.7 * teacher.parameters
    config = start.model.config
    assert [best[name] for name in SIZES] == [
        getattr(config, name) for name in ("n_layer", "n_embd", "n_head", "n_inner")
    ]
    assert start.card["teacher"] == teacher.card["weights"]
    assert start.card["origin"] == "a student cut out of the teacher"


def test_every_card_names_its_start_and_the_start_is_left_as_it_was(catalog):
    start = catalog.load("start_student")["start"]
    assert weights_fingerprint(start.model) == start.card["weights"]
    controls, seeds = catalog.load("control_models"), catalog.load("student_seeds")
    begun = [
        catalog.load("student"),
        *(controls[name] for name in ("untrained", "cut_untaught")),
        *(seeds[name] for name in ("student_2", "cut_untaught_2")),
    ]
    assert {model.card["start"] for model in begun} == {start.card["weights"]}
    assert controls["untrained"].card["weights"] == start.card["weights"]
    random = [catalog.load("baseline_student"), seeds["baseline_2"]]
    assert all("start" not in model.card for model in random)
    assert {model.parameters for model in [*begun, *random]} == {start.parameters}
    assert len({model.card["weights"] for model in random}) == 2


def test_the_start_does_not_go_stale_with_how_students_are_trained():
    made_of = create_pipeline().to_outputs("start_student").inputs()
    assert "params:distillation.student" in made_of
    assert not made_of & {
        "params:distillation.training",  # what a study chooses is there, and in the objective
        "params:distillation.objective",
        "params:distillation.seeds.first",
        "params:distillation.sequence_level",
    }


def test_copied_layers_need_a_teacher_that_has_them(catalog, tmp_path):
    chosen, asked = asked_of({"copy_layers": [0, 1]})
    asked["student"]["copy_layers"] = [0, 7]
    with pytest.raises(ValueError, match=r"student\.copy_layers: the teacher has no layer 7"):
        make_start(*chosen, catalog.load("teacher"), asked, tmp_path)


def test_shapes_within_a_budget_need_validation_rows(catalog, tmp_path):
    chosen, asked = asked_of({"from_teacher": BUDGET}, validation_rows=0)
    message = "are compared on validation rows, and there are none"
    with pytest.raises(ValueError, match=message):
        make_start(*chosen, catalog.load("teacher"), asked, tmp_path)
    groups = {"student": {"from_teacher": BUDGET}, "examples": {"validation_rows": 0}}
    with pytest.raises(ValueError, match=r"budget, .* but examples\.validation_rows is 0"):
        DistillationParams.model_validate(whole("test", groups))
