"""Who is asked the held-out questions, and what becomes of the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kd_kedro.metrics.efficiency.latency import cpu_threads
from kd_kedro.metrics.report.controls import majority_answer, shuffled_answers
from kd_kedro.metrics.report.evidence import CUT_UNTAUGHT, FLOOR, PRETRAINED
from kd_kedro.metrics.scores.classification import labels_of
from kd_kedro.metrics.scores.held_out import grade
from kd_kedro.metrics.scores.semantic import compare_meanings
from kd_kedro.pipelines.evaluation.params import AnsweringParams
from kd_kedro.text.embedder import TokenEmbedder
from kd_kedro.training.examples import asked_of

CONTROLS = ("untrained", FLOOR, PRETRAINED)  # of no seed: one of each


@dataclass(frozen=True)
class Asked:
    """A model that is asked: its name and seed in `validation_results`, '' for no seed."""

    model: str
    seed: str
    language_model: Any


def who_is_asked(
    teacher: Any,
    baseline_student: Any,
    student: Any,
    student_seeds: Mapping[str, Any],
    control_models: Mapping[str, Any],
) -> list[Asked]:
    """Return all models, the teacher first."""
    first = str(student.card.get("seed", "first"))
    asked = [
        Asked("teacher", "", teacher),
        Asked("baseline", first, baseline_student),
        Asked("student", first, student),
    ]
    if CUT_UNTAUGHT in control_models:
        asked.append(Asked(CUT_UNTAUGHT, first, control_models[CUT_UNTAUGHT]))
    for name in sorted(student_seeds):
        model, _, seed = name.rpartition("_")
        asked.append(Asked(model, seed, student_seeds[name]))
    return asked + [
        Asked(name, "", control_models[name]) for name in CONTROLS if name in control_models
    ]


def perhaps_read(teacher: Any, rows: pd.DataFrame) -> int:
    """Return how many held-out rows are none of those that its card says it has not read.

    A teacher whose card says nothing of that counts as one that has read none.
    """
    kept_from_it = teacher.card.get("held_out")
    return 0 if kept_from_it is None else int((~rows["row_id"].isin(kept_from_it)).sum())


def grade_all(
    rows: pd.DataFrame,
    train: pd.DataFrame,
    asked: Sequence[Asked],
    embedder: TokenEmbedder,
    params: AnsweringParams,
) -> pd.DataFrame:
    """Let everybody answer the held-out rows, and the controls that need no model; grade all.

    Args:
        rows: The held-out rows.
        train: Rows of the train split, which say what the majority answers and what is a label.
        asked: The models, the teacher first.
        embedder: Compares answers with references by meaning.
        params: Length and batches of the answers.

    Returns:
        `validation_results`.
    """
    from kd_kedro.inference.generate import generate_answers
    from kd_kedro.inference.scoring import score_together
    from kd_kedro.pipelines.evaluation.served import answer_served, score_served

    questions, references = asked_of(rows), list(rows["answer"])
    everybody = [each.language_model for each in asked]
    models = [each for each in everybody if each.server is None]
    scores = score_together(models, questions, references, batch_size=params.batch_size)
    if served := [each for each in everybody if each.server is not None]:
        scores = score_served(served[0], scores, models, questions, references)
    with cpu_threads(params.threads):
        texts = [answer_served(each, questions, params.max_new_tokens) for each in served] + [
            generate_answers(
                model,
                questions,
                max_new_tokens=params.max_new_tokens,
                batch_size=params.batch_size,
            )
            for model in models
        ]
    answered = [
        (each.model, each.seed, said, own)
        for each, said, own in zip(asked, texts, scores, strict=True)
    ] + [(name, "", said, None) for name, said in _without_model(rows, train, params.seed).items()]
    said = [prediction for _, _, predictions, _ in answered for prediction in predictions]
    similar, f1 = compare_meanings(embedder, said, references * len(answered))
    labels = labels_of(
        list(train["answer"]), list(train["family_id"]), min_families=params.label_families
    )
    parts = [
        grade(
            rows,
            predictions,
            own,
            model=model,
            seed=seed,
            labels=labels,
            semantic_similarity=list(similar[place : place + len(rows)]),
            bertscore_f1=list(f1[place : place + len(rows)]),
        )
        for place, (model, seed, predictions, own) in zip(
            range(0, len(said), len(rows)), answered, strict=True
        )
    ]
    return pd.concat(parts, ignore_index=True)


def _without_model(rows: pd.DataFrame, train: pd.DataFrame, seed: int) -> dict[str, list[str]]:
    references, families = list(rows["answer"]), list(rows["family_id"])
    return {
        "majority": [majority_answer(list(train["answer"]))] * len(rows),
        "echo": list(rows["question"]),
        "shuffled": shuffled_answers(references, families, seed=seed),
    }
