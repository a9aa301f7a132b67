"""What the pipeline will cost, planned on a toy sheet with the settings of conf/."""

import tempfile

import pytest

from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.distillation.cost import GROUPS, plan_distillation
from tests.pipelines.distillation.recipe import NO_TEACHER, parameters, run
from tests.pipelines.distillation.toy import augmented_qa
from tests.training.architectures import build, save

TABLE = augmented_qa(60)


def groups(**changed):
    values = parameters("test", changed)
    return {name: values[f"params:distillation.{name}"] for name in GROUPS}


def pretrained(folder, kind):
    """A tiny model with a tokenizer of its own, in a folder."""
    texts = [text for column in ("question", "answer") for text in TABLE[column]]
    tokenizer = train_byte_bpe(texts, 300, 2)
    return save(folder, build(kind, tokenizer), tokenizer)


def test_a_plan_says_what_the_pipeline_then_makes(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    changed = {"controls": {"patient": "both"}}
    plan = plan_distillation(TABLE, **groups(**changed))
    assert not list(tmp_path.glob("distill-plan-*"))
    catalog = run(TABLE, tmp_path, changed=changed)
    manifest = catalog.load("teacher_targets").manifest
    assert plan.capture.rows == manifest["row_count"]
    assert plan.capture.answer_tokens == manifest["answer_tokens"]
    assert plan.capture.bytes == pytest.approx(manifest["bytes"], rel=0.1)
    assert plan.teacher.steps == catalog.load("teacher").card["steps"]
    assert plan.student.steps == catalog.load("student").card["steps"]
    assert plan.further_seeds == 2
    assert plan.live is not None
    for account, tokens in plan.patient_tokens.items():
        twin = catalog.load("student_seeds")[f"patient_{account}_1"].card
        assert twin["training"]["max_tokens"] == round(tokens)
    assert min(plan.seconds, plan.memory, plan.disk) > 0


def test_a_budget_is_planned_with_its_largest_shape() -> None:
    budget = {"parameters": 0.7, "search_tokens": 2000}
    plan = plan_distillation(TABLE, **groups(student={"from_teacher": budget}))
    assert len(plan.candidates) >= 2
    assert max(each["parameters_share"] for each in plan.candidates) <= 0.7
    assert plan.start_seconds > 0
    largest = max(each["bytes"] for each in plan.candidates)
    assert largest < plan.student.model_bytes < largest + 200_000  # and its tokenizer
    plain = plan_distillation(TABLE, **groups(student={"from_teacher": None}))
    assert (plain.candidates, plain.start_seconds) == ((), 0.0)


def test_a_student_without_a_teacher_needs_no_capture() -> None:
    plan = plan_distillation(TABLE, **groups(objective=NO_TEACHER))
    assert plan.live is None
    assert "asks no teacher: nothing is captured" in plan.conclusion()
    assert plan.disk == plan.model_bytes + plan.checkpoint_bytes
    asked = groups(objective=NO_TEACHER, targets={"capture": True})  # for a study, say
    assert plan_distillation(TABLE, **asked).disk > plan.disk


@pytest.mark.parametrize("part", ["student", "teacher"])
def test_a_teacher_of_another_kind_than_the_student_is_planned_live_too(part, tmp_path) -> None:
    folder = pretrained(tmp_path / "t5", "t5")
    changed = {"student": {"from_teacher": None}, "tokenizer": {"pretrained": folder}}
    changed[part] = {"pretrained": folder}
    plan = plan_distillation(TABLE, **groups(**changed))
    assert plan.live is not None
    assert plan.live.steps == plan.student.steps == 4


def test_a_student_with_a_tokenizer_of_its_own_is_planned_in_its_tokens(tmp_path) -> None:
    folder = pretrained(tmp_path / "own", "gpt2")
    alone = {"objective": NO_TEACHER, "targets": {"source": "live"}}
    student = {"pretrained": folder, "tokenizer": folder}
    plan = plan_distillation(TABLE, **groups(student=student, **alone))
    assert plan.student.steps == 4
    assert plan.student.model_bytes != plan.teacher.model_bytes


def test_a_plan_says_what_it_leaves_out() -> None:
    several = {"num_processes": 2}
    plan = plan_distillation(
        TABLE,
        **groups(
            training={**several, "strategy": "fsdp"},
            teacher={"training": several},
            on_policy={"share": 0.5},
            targets={"source": "dense"},
            objective={"divergence": "forward_kl"},
        ),
    )
    said = "; ".join(plan.not_counted)
    assert "those of one" in said
    assert "on_policy" in said
    assert plan.student.steps == 4


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"objective": {"divergence": "reverse_kl"}}, "cannot give 'reverse_kl' exactly"),
        ({"objective": {"temperature": 3.0}}, "captured at 1, not 3"),
        ({"targets": {"source": "top_k", "k": 5000}}, "targets.k is 5000"),
        ({"student": {"pretrained": "/no/such/folder"}}, "distillation.student.pretrained"),
    ],
)
def test_what_the_pipeline_would_refuse_the_plan_refuses(changed, said) -> None:
    with pytest.raises((ValueError, OSError), match=said):
        plan_distillation(TABLE, **groups(**changed))


def test_a_table_without_training_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="augmented_qa has no row in split train"):
        plan_distillation(TABLE[TABLE["split"] == "test"], **groups())


def test_a_live_teacher_is_planned_without_a_store() -> None:
    live = {"targets": {"source": "live"}, "objective": {"divergence": "forward_kl"}}
    plan = plan_distillation(TABLE, **groups(**live, seeds={"count": 1}))
    assert plan.asks_live
    assert plan.taught == plan.live
    assert plan.disk == plan.model_bytes + plan.checkpoint_bytes
