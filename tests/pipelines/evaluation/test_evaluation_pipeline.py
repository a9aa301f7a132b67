"""The evaluation pipeline on small untrained models, from rows to the evidence."""

import json
from typing import Any

import pytest
import yaml

from kd_kedro.metrics.report.slices import score_runs
from kd_kedro.metrics.scores.held_out import choose_held_out
from kd_kedro.pipelines.evaluation.nodes import (
    answer_held_out,
    choose_held_out_examples,
    judge_student,
)
from kd_kedro.pipelines.evaluation.params import (
    AnsweringParams,
    CompressionParams,
    LeakageParams,
    PromotionParams,
    SlicesParams,
    VerdictParams,
)
from kd_kedro.training.examples import EXAMPLE_COLUMNS, questions_of
from tests.pipelines.finished_evaluation import ROOT, language_model


def test_every_model_and_seed_answers_every_chosen_row(finished_evaluation: dict[str, Any]) -> None:
    results = finished_evaluation["validation_results"]
    runs = results.groupby(["model", "seed"]).size()
    assert runs.to_dict() == {
        **{
            (model, ""): 16
            for model in [
                *("teacher", "untrained", "floor_teacher", "pretrained_teacher"),
                *("majority", "echo", "shuffled"),
            ]
        },
        **{(model, seed): 16 for model in ("baseline", "student") for seed in ("2", "3", "4")},
    }
    assert finished_evaluation["evaluation_facts"]["held_out"]["rows_used"] == 16
    assert finished_evaluation["evaluation_facts"]["held_out"]["held_out_rows"] == 18
    teacher = results[results["model"] == "teacher"]
    assert (teacher["agreeing_tokens"] == teacher["answer_tokens"]).all()


def test_the_rows_that_are_asked_are_chosen_once(
    evaluation_inputs: dict[str, Any], finished_evaluation: dict[str, Any]
) -> None:
    examples = finished_evaluation["held_out_examples"]
    chosen = choose_held_out(evaluation_inputs["augmented_qa"], max_rows=16)
    assert list(examples.columns) == [*EXAMPLE_COLUMNS, "source"]
    assert list(examples["row_id"]) == list(examples["example_id"]) == list(chosen["row_id"])
    assert questions_of(examples) == list(chosen["question"])
    for name in ("validation_results", "train_overlap"):
        assert set(finished_evaluation[name]["row_id"]) == set(chosen["row_id"])


def test_json_products_have_no_nan(finished_evaluation: dict[str, Any]) -> None:
    for name in (
        "verdict",
        "power_facts",
        "compression",
        "evaluation_facts",
        "evidence",
        "answer_facts",
    ):
        json.dumps(finished_evaluation[name], allow_nan=False)


def test_no_onnx_file_is_kept_where_none_was_accepted(finished_evaluation: dict[str, Any]) -> None:
    files = finished_evaluation["student_variants"]
    assert list(files) == ["variants.json"]
    told = json.loads(files["variants.json"])
    assert told["files"] == {}
    variant = finished_evaluation["compression"]["variants"]["torch_int8"]
    assert told["variants"] == {"torch_int8": {key: variant[key] for key in ("status", "reason")}}
    assert (
        finished_evaluation["compression"]["variants"]["torch_int8"]["status"] == "rejected"
    )  # 16 families


def test_filters_are_measured_where_the_truth_fits(finished_evaluation: dict[str, Any]) -> None:
    quality = finished_evaluation["filter_quality"].set_index("defect")
    assert quality.loc["off_topic", ["precision", "recall"]].tolist() == [1.0, 1.0]


def test_the_evidence_is_what_the_other_products_say(finished_evaluation: dict[str, Any]) -> None:
    evidence = finished_evaluation["evidence"]
    for name, product in (("verdict",) * 2, ("power", "power_facts"), ("compression",) * 2):
        assert evidence[name] == finished_evaluation[product]
    assert len(evidence["slices"]) == len(finished_evaluation["slices"])
    assert evidence["leakage"]["rows"] == len(finished_evaluation["train_overlap"]) == 16


def test_parameters_in_yaml_are_the_models_fields() -> None:
    models = {
        "answering": AnsweringParams,
        "verdict": VerdictParams,
        "compression": CompressionParams,
        "slices": SlicesParams,
        "promotion": PromotionParams,
        "leakage": LeakageParams,
    }
    written = yaml.safe_load((ROOT / "conf/base/evaluation/parameters.yml").read_text())
    assert set(written) == {"evaluation"}
    assert set(written["evaluation"]) <= set(models)
    for name, values in written["evaluation"].items():
        assert set(values) <= set(models[name].model_fields)
        models[name].model_validate(values)


def test_students_of_another_tokenizer_are_not_compared_token_by_token(
    evaluation_inputs: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    from kd_kedro.models.tokenization import train_byte_bpe

    other = train_byte_bpe(["another text about depreciation"] * 3, 270)
    names = ("baseline_2", "student_2", "baseline_3", "student_3")
    baseline, student, *seeds = (language_model(16, seed, other) for seed in (2, 2, 3, 3))
    rows = evaluation_inputs["augmented_qa"]
    answering = evaluation_inputs["params:evaluation.answering"]
    held_out = choose_held_out_examples(
        rows, answering, evaluation_inputs["params:distillation.examples"]
    )
    results, facts = answer_held_out(
        held_out,
        rows,
        evaluation_inputs["teacher"],
        baseline,
        student,
        dict(zip(names[2:], seeds, strict=True)),
        {},
        evaluation_inputs["sentence_embedder"],
        answering,
    )
    # References are counted in the tokens of both.
    tokens = {
        row: max(len(other.encode(f" {answer}")), len(own.encode(f" {answer}")))
        for own in [evaluation_inputs["teacher"].tokenizer]
        for row, answer in zip(held_out["row_id"], held_out["answer"], strict=True)
    }
    long = {row["row_id"]: row["tokens"] for row in facts["cut_references"]["rows"]}
    assert long == {row: count for row, count in tokens.items() if count > 4}
    [said] = [each for each in caplog.messages if "reference answers" in each]
    assert said.startswith(f"{len(long)} of 16 held-out reference answers (")
    needed = max(long.values())
    assert f"max_new_tokens={needed} (the evaluation alone has to run again) lets " in said
    verdict = judge_student(results, evaluation_inputs["params:evaluation.verdict"])
    agreement = verdict["metrics"]["teacher_agreement"]
    assert agreement["conclusion"] == "not applicable"
    assert "different tokenizers" in agreement["reason"]
    assert agreement["teacher"]["estimate"] is None
    assert verdict["metrics"]["perplexity"]["student"]["estimate"] > 0
    students = score_runs(results).query("model in ('baseline', 'student')")
    assert set(students["teacher_agreement"]) == set(students["teacher_kl"]) == {""}


def test_nearness_to_the_teacher_cannot_decide() -> None:
    with pytest.raises(ValueError, match="nearness to the teacher"):
        VerdictParams(primary=("perplexity", "teacher_kl"))
