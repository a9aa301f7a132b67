"""Evaluation and report where the teacher is behind a server: what is known and what is not."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.completion_server import CompletionServer
from kd_kedro.inference.generate import generate_answers
from kd_kedro.inference.scoring import score_together
from kd_kedro.metrics.efficiency.compression import ELSEWHERE, RATIOS
from kd_kedro.pipelines.distillation.models import served_card
from kd_kedro.pipelines.evaluation.served import check_same
from kd_kedro.training.teacher.teacher_server import TeacherServer, TeacherServerOptions
from tests.pipelines.finished_evaluation import evaluated


@pytest.fixture(scope="module")
def finished(
    evaluation_inputs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """All products of an evaluation and a report with the teacher behind a server."""
    teacher = evaluation_inputs["teacher"]
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        options = TeacherServerOptions(base_url=server.url, model="large")
        who = TeacherServer("the teacher behind a server", options)
        card = {**served_card(96), "server": who.identity()}
        served = replace(teacher, model=None, card=card, server=who)
        given = {**evaluation_inputs, "teacher": served, "teacher_history": []}
        return evaluated(given, tmp_path_factory.mktemp("served").as_posix())


@pytest.mark.slow
def test_a_served_teacher_answers_and_scores_as_its_model_does(
    finished: dict[str, Any], evaluation_inputs: dict[str, Any]
) -> None:
    results = finished["validation_results"]
    rows = results[results["model"] == "teacher"]
    teacher, asked = evaluation_inputs["teacher"], list(rows["question"])
    (own,) = score_together([teacher], asked, list(rows["reference"]), batch_size=8)
    assert list(rows["nll"].astype(float)) == pytest.approx([e["nll"] for e in own], rel=1e-4)
    for name in ("answer_tokens", "answer_bytes"):
        assert list(rows[name].astype(int)) == [each[name] for each in own]
    answers = generate_answers(teacher, asked, max_new_tokens=4, batch_size=8)
    assert list(rows["prediction"]) == answers
    for name in ("agreeing_tokens", "teacher_kl", "accepted_tokens"):
        assert results[name].isna().all()


@pytest.mark.slow
def test_what_needs_its_weights_does_not_apply(finished: dict[str, Any]) -> None:
    metrics, compression = finished["verdict"]["metrics"], finished["compression"]
    assert metrics["perplexity"]["teacher"]["estimate"] > 1
    assert metrics["perplexity"]["non_inferiority"]["conclusion"] != "not applicable"
    for name in ("teacher_agreement", "teacher_kl", "ece", "brier"):
        assert metrics[name]["conclusion"] == "not applicable"
        assert "behind a server" in metrics[name]["reason"]
    assert compression["ratios"] == {ratio: {"refused": ELSEWHERE} for ratio in RATIOS}
    assert set(compression["teacher"].values()) == {None}
    assert compression["student"]["parameters"] > 0
    for name in ("report", "model_card"):
        text = re.sub(r"<style>.*?</style>", "", finished[name], flags=re.DOTALL)
        assert ELSEWHERE in text or name == "model_card"
        assert not re.search(r"\b(nan|None)\b(?! was looked)", text)
    json.dumps(finished["evidence"], allow_nan=False)


def test_another_model_at_the_server_is_refused(evaluation_inputs: dict[str, Any]) -> None:
    options = TeacherServerOptions(base_url="http://127.0.0.1:9/v1", model="small")
    card = {"server": {"model": "large", "extra_body": {}}}
    teacher = replace(
        evaluation_inputs["teacher"], model=None, card=card, server=TeacherServer("it", options)
    )
    with pytest.raises(ValueError, match="was large behind a server, but the catalog names small"):
        check_same(teacher)
