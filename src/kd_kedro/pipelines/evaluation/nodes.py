"""Nodes of the evaluation pipeline: connect the models to the metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kd_kedro.curation import lineage
from kd_kedro.curation.examples import examples_by_kind
from kd_kedro.metrics.compression import System, compare, cpu_threads
from kd_kedro.metrics.examples import instructive_examples
from kd_kedro.metrics.filters import measure_against_reviewers, measure_filters
from kd_kedro.metrics.held_out import choose_held_out, grade
from kd_kedro.metrics.slices import score_runs, score_slices, worst_slice
from kd_kedro.metrics.verdict import judge
from kd_kedro.pipelines.distillation.params import StudentParams
from kd_kedro.pipelines.evaluation.lm_eval_tasks import task_files
from kd_kedro.pipelines.evaluation.params import (
    AnsweringParams,
    CompressionParams,
    ReportParams,
    SlicesParams,
    VerdictParams,
)
from kd_kedro.pipelines.evaluation.plots import models_figure
from kd_kedro.pipelines.evaluation.report import render_report


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
) -> dict[str, Any]:
    """Weigh and time teacher and student on held-out questions, an adapter merged as it is used."""
    from kd_kedro.training.adapters import merged
    from kd_kedro.training.examples import encode_prompts

    questions = list(choose_held_out(augmented_qa, max_rows=compression.prompts)["question"])
    return compare(
        System(teacher.model, encode_prompts(teacher.tokenizer, questions)),
        System(merged(student.model), encode_prompts(student.tokenizer, questions)),
        new_tokens=compression.new_tokens,
        max_seconds=compression.max_seconds,
    )


def measure_curation(
    final_qa_truth: pd.DataFrame,
    row_events: pd.DataFrame,
    validated_qa: pd.DataFrame,
    review_queue: pd.DataFrame,
    reviewed_qa: pd.DataFrame,
    cleaned_qa: pd.DataFrame,
    fitb_rephrased: pd.DataFrame,
    converted_mcq: pd.DataFrame,
) -> pd.DataFrame:
    """Compare what each curation step did with the sheet's known defects and with reviewers."""
    stages = {
        "reviewed_qa": reviewed_qa,
        "cleaned_qa": cleaned_qa,
        "fitb_rephrased": fitb_rephrased,
        "converted_mcq": converted_mcq,
    }
    planted = measure_filters(final_qa_truth, row_events, stages)
    judged = measure_against_reviewers(validated_qa, review_queue, row_events)
    return pd.concat([planted, judged], ignore_index=True)


def pick_curation_examples(
    row_events: pd.DataFrame,
    personal_data_summary: pd.DataFrame,
    quarantined_rows: pd.DataFrame,
    validated_qa: pd.DataFrame,
    reviewed_qa: pd.DataFrame,
    cleaned_qa: pd.DataFrame,
    screened_qa: pd.DataFrame,
    fitb_rephrased: pd.DataFrame,
    converted_mcq: pd.DataFrame,
    soap_qa: pd.DataFrame,
    deduplication_rephrasing: pd.DataFrame,
    report: ReportParams,
) -> pd.DataFrame:
    """Pick a few rows of each kind that each stage removed or changed.

    Where personal data is masked, no row is shown as it was before the mask.
    """
    events = row_events
    if (personal_data_summary["masked"] == "yes").any():
        unmasked = lineage.STAGES[: lineage.STAGES.index("personal_data") + 1]
        events = row_events[~row_events["stage"].isin(unmasked)]
    products = {
        "validation": validated_qa,
        "review": reviewed_qa,
        "cleaning": cleaned_qa,
        "personal_data": screened_qa,
        "fitb": fitb_rephrased,
        "mcq": converted_mcq,
        "soap": soap_qa,
        "deduplication": deduplication_rephrasing,
    }
    return examples_by_kind(events, products, quarantined_rows, report.curation_examples)


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


def write_report(
    validation_results: pd.DataFrame,
    evaluation_facts: Mapping[str, Any],
    verdict: Mapping[str, Any],
    compression: Mapping[str, Any],
    filter_quality: pd.DataFrame,
    curation_examples: pd.DataFrame,
    personal_data_summary: pd.DataFrame,
    slices: pd.DataFrame,
    row_waterfall: pd.DataFrame,
    histories: Mapping[str, list[dict[str, Any]]],
    tuning_record: Mapping[str, Any],
    student: StudentParams,
    choices: SlicesParams,
    wording: ReportParams,
    judging: VerdictParams,
) -> str:
    """Write the whole evaluation as one HTML page that needs nothing else."""
    return render_report(
        facts=evaluation_facts,
        verdict=verdict,
        compression=compression,
        filter_quality=filter_quality,
        curation_examples=curation_examples,
        personal_data=personal_data_summary,
        slices=slices,
        worst=worst_slice(slices, min_families=choices.min_families),
        runs=score_runs(validation_results),
        examples=instructive_examples(validation_results, count=choices.examples),
        waterfall=row_waterfall,
        histories=histories,
        tuning=tuning_record,
        student=student,
        wording=wording,
        judging=judging,
    )


def gather_histories(
    teacher_history: list[dict[str, Any]],
    baseline_history: list[dict[str, Any]],
    student_history: list[dict[str, Any]],
) -> dict[str, list[dict[str, Any]]]:
    """Put the trainings' histories under the models' names."""
    return {
        "teacher": teacher_history,
        "baseline": baseline_history,
        "student": student_history,
    }


def plot_models(verdict: Mapping[str, Any]) -> Any:
    """Draw teacher, baseline and student with their intervals."""
    return models_figure(verdict)


def _answer_all(
    rows: pd.DataFrame, runs: Sequence[tuple[str, str, Any]], answering: AnsweringParams
) -> pd.DataFrame:
    from kd_kedro.training.answering import generate_answers, score_answers
    from kd_kedro.training.fingerprints import tokenizer_fingerprint

    questions, references = list(rows["question"]), list(rows["answer"])
    one_tokenizer = len({tokenizer_fingerprint(run.tokenizer) for *_, run in runs}) == 1
    parts: list[pd.DataFrame] = []
    teacher_scores: list[dict[str, Any]] = []
    for model, seed, language_model in runs:
        predictions = generate_answers(
            language_model,
            questions,
            max_new_tokens=answering.max_new_tokens,
            batch_size=answering.batch_size,
        )
        scores = score_answers(
            language_model, questions, references, batch_size=answering.batch_size
        )
        teacher_scores = teacher_scores or scores  # the teacher comes first
        compared = teacher_scores if one_tokenizer else None
        parts.append(grade(rows, predictions, scores, compared, model=model, seed=seed))
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
