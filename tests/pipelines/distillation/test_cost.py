"""What the pipeline will cost, planned on a toy sheet with the settings of conf/."""

import tempfile

import pytest

from kd_kedro.pipelines.distillation.cost import GROUPS, plan_distillation
from tests.pipelines.distillation.recipe import parameters, run
from tests.pipelines.distillation.toy import augmented_qa

TABLE = augmented_qa(60)


def groups(**changed):
    values = parameters("test", changed)
    return {name: values[f"params:distillation.{name}"] for name in GROUPS}


def test_a_plan_says_what_the_pipeline_then_makes(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    plan = plan_distillation(TABLE, **groups())
    assert not list(tmp_path.glob("distill-plan-*"))
    catalog = run(TABLE, tmp_path)
    manifest = catalog.load("teacher_targets")
    assert plan.capture.rows == manifest["row_count"]
    assert plan.capture.answer_tokens == manifest["answer_tokens"]
    assert plan.capture.bytes == pytest.approx(manifest["bytes"], rel=0.1)
    assert plan.teacher.steps == catalog.load("teacher").card["steps"]
    assert plan.student.steps == catalog.load("student").card["steps"]
    assert plan.further_seeds == 2
    assert plan.live is not None
    assert min(plan.seconds, plan.memory, plan.disk) > 0


def test_a_student_without_a_teacher_needs_no_capture() -> None:
    plan = plan_distillation(TABLE, **groups(objective={"beta": 0.0}))
    assert plan.live is None
    assert "asks no teacher" in plan.conclusion()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"objective": {"divergence": "reverse_kl"}}, "cannot give 'reverse_kl' exactly"),
        ({"objective": {"temperature": 3.0}}, "captured at 1, not 3"),
        ({"targets": {"k": 5000}}, "targets.k is 5000"),
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
