"""Nodes of the evaluation pipeline: connect the models to the metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kd_kedro.metrics.compression import cpu_threads
from kd_kedro.metrics.held_out import choose_held_out, grade
from kd_kedro.metrics.slices import score_slices
from kd_kedro.metrics.verdict import judge
from kd_kedro.pipelines.evaluation.certificate import certify_student
from kd_kedro.pipelines.evaluation.lm_eval_tasks import task_files
from kd_kedro.pipelines.evaluation.params import (
    AnsweringParams,
    CompressionParams,
    VerdictParams,
)


def answer_held_out(
    augmented_qa: pd.DataFrame,
    teacher: Any,
    baseline_student: Any,
    student: Any,
    student_seeds: Mapping[str, Any],
    answering: AnsweringParams,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Let every model of every seed answer and score the held-out rows.

    Returns:
        `validation_results`, and the facts around it: how many rows were held out and used, and
        each model's card.
    """
    rows = choose_held_out(augmented_qa, max_rows=answering.max_rows)
    runs = _runs(teacher, baseline_student, student, student_seeds)
    with cpu_threads(answering.threads):
        results = _answer_all(rows, runs, answering)
    facts = {
        **_held_out_counts(augmented_qa, rows),
        "max_new_tokens": answering.max_new_tokens,
        "models": {name: dict(run.card) for name, _, run in runs[:3]},
    }
    return results, facts


def judge_student(validation_results: pd.DataFrame, verdict: VerdictParams) -> dict[str, Any]:
    """Compare the distilled student with its baseline and its teacher."""
    return judge(
        validation_results,
        primary=verdict.primary,
        confidence=verdict.confidence,
        draws=verdict.draws,
        min_families=verdict.min_families,
        margin=verdict.margin,
        seed=verdict.seed,
    )


def write_lm_eval_tasks(
    augmented_qa: pd.DataFrame, student: Any, answering: AnsweringParams
) -> dict[str, str]:
    """Write the held-out rows as tasks of lm-evaluation-harness, the field's own judge."""
    from kd_kedro.training.examples import encode_prompts, prompt_text

    rows = choose_held_out(augmented_qa, max_rows=answering.max_rows)
    room = student.max_length - answering.max_new_tokens
    too_long = [
        len(ids) > room for ids in encode_prompts(student.tokenizer, list(rows["question"]))
    ]
    return task_files(
        rows.assign(prompt=rows["question"].map(prompt_text), too_long=too_long),
        max_new_tokens=answering.max_new_tokens,
    )


def measure_compression(
    augmented_qa: pd.DataFrame,
    teacher: Any,
    student: Any,
    compression: CompressionParams,
) -> tuple[dict[str, Any], bytes]:
    """Weigh and time teacher, student and the student's variants, an adapter merged as it is used.

    Returns:
        The certificate, and the fastest ONNX file that was accepted, empty where none was.
    """
    timed = list(choose_held_out(augmented_qa, max_rows=compression.prompts)["question"])
    scored = choose_held_out(augmented_qa, max_rows=compression.scored_rows)
    return certify_student(timed, scored, teacher, student, compression)


def slice_results(
    validation_results: pd.DataFrame, converted_mcq: pd.DataFrame, final_qa_truth: pd.DataFrame
) -> pd.DataFrame:
    """Score the models on the held-out rows of each format, kind of answer, topic, template."""
    known = dict(zip(validation_results["row_id"], validation_results["gradable"], strict=True))
    labels = {
        "format": dict(zip(converted_mcq["row_id"], converted_mcq["format"], strict=True)),
        "answer": {row: "gradable" if is_so == "yes" else "free" for row, is_so in known.items()},
    }
    if len(final_qa_truth):
        for name in ("topic", "template"):
            labels[name] = dict(zip(final_qa_truth["row_id"], final_qa_truth[name], strict=True))
    return score_slices(validation_results, labels)


def _answer_all(
    rows: pd.DataFrame, runs: Sequence[tuple[str, str, Any]], answering: AnsweringParams
) -> pd.DataFrame:
    from kd_kedro.training.answering import generate_answers
    from kd_kedro.training.scoring import score_together

    questions, references = list(rows["question"]), list(rows["answer"])
    models = [language_model for *_, language_model in runs]  # the teacher comes first
    scores = score_together(models, questions, references, batch_size=answering.batch_size)
    parts: list[pd.DataFrame] = []
    for (model, seed, language_model), own in zip(runs, scores, strict=True):
        predictions = generate_answers(
            language_model,
            questions,
            max_new_tokens=answering.max_new_tokens,
            batch_size=answering.batch_size,
        )
        parts.append(grade(rows, predictions, own, model=model, seed=seed))
    return pd.concat(parts, ignore_index=True)


def _runs(
    teacher: Any, baseline_student: Any, student: Any, student_seeds: Mapping[str, Any]
) -> list[tuple[str, str, Any]]:
    first = str(student.card.get("seed", "first"))
    runs = [
        ("teacher", "", teacher),
        ("baseline", first, baseline_student),
        ("student", first, student),
    ]
    for name in sorted(student_seeds):
        model, _, seed = name.rpartition("_")
        runs.append((model, seed, student_seeds[name]))
    return runs


def _held_out_counts(augmented_qa: pd.DataFrame, used: pd.DataFrame) -> dict[str, int]:
    held_out = augmented_qa[augmented_qa["split"] == "test"]
    return {
        "held_out_rows": len(held_out),
        "held_out_families": int(held_out["family_id"].nunique()),
        "rows_used": len(used),
        "families_used": int(used["family_id"].nunique()),
    }
